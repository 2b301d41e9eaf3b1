// Writes what Go makes of templates: go run main.go < cases.txt > cases.json
//
// The tests hold Bunker's templates against the result, so Go itself is needed only when cases are added. In cases.txt
// each line is a template, in which \n and \t stand for themselves (as in Docker's --format) and ⏎ for a line's end.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"
)

type Inner struct {
	Name    string
	Count   int
	Tags    []string
	Nothing *Inner
}

type Data struct {
	ID      string
	Name    string
	Text    string
	Size    int
	Zero    int
	Ratio   float64
	Whole   float64
	Running bool
	Labels  map[string]string
	Options map[string]any
	Tags    []string
	Empty   []string
	Numbers []int
	Inner   Inner
	Nothing *Inner
	Items   []Inner
	Created time.Time
}

func (Data) Label(key string) string { return "label " + key }

type Case struct {
	Template string `json:"template"`
	Output   string `json:"output"`
	Error    string `json:"error,omitempty"`
}

var functions = template.FuncMap{
	"json": func(v any) string {
		buffer := &bytes.Buffer{}
		encoder := json.NewEncoder(buffer)
		encoder.SetEscapeHTML(false)
		encoder.Encode(v)
		return strings.TrimSpace(buffer.String())
	},
	"split": strings.Split,
	"join":  strings.Join,
	"title": strings.Title,
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"pad": func(source string, prefix, suffix int) string {
		if source == "" {
			return source
		}
		return strings.Repeat(" ", prefix) + source + strings.Repeat(" ", suffix)
	},
	"truncate": func(source string, length int) string {
		if len(source) < length {
			return source
		}
		return source[:length]
	},
}

func main() {
	data := Data{
		ID:      "sha256:0123456789abcdef",
		Name:    "web server",
		Text:    "é<a href=\"x\">'&'\t\x01日本",
		Size:    1234567,
		Ratio:   0.25,
		Whole:   3,
		Running: true,
		Labels:  map[string]string{"b": "two", "a": "one", "com.example/x": "three"},
		Options: map[string]any{"text": "x", "number": 7, "list": []any{"a", 1, nil}, "nothing": nil, "map": map[string]any{"deep": true}},
		Tags:    []string{"one", "two", "three"},
		Empty:   []string{},
		Numbers: []int{3, 1, 2},
		Inner:   Inner{Name: "inner", Count: 2, Tags: []string{"t"}},
		Items:   []Inner{{Name: "first", Count: 1, Tags: []string{}}, {Name: "second", Count: 2, Tags: []string{"a", "b"}}},
		Created: time.Date(2026, 1, 2, 15, 4, 5, 250000000, time.UTC),
	}
	var cases []Case
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		if scanner.Text() == "" {
			continue
		}
		source := strings.ReplaceAll(scanner.Text(), "⏎", "\n")
		entry := Case{Template: source}
		parsed, err := template.New("").Funcs(functions).Parse(source)
		if err == nil {
			var output bytes.Buffer
			err = parsed.Execute(&output, data)
			entry.Output = output.String()
		}
		if err != nil {
			entry.Output = ""
			entry.Error = err.Error()
		}
		cases = append(cases, entry)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(cases); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
