import { describe, expect, test } from "bun:test";
import { dockerFunctions } from "../../../../../src/cli/format/template/docker-functions.ts";
import { parseTemplate } from "../../../../../src/cli/format/template/template.ts";
import { TemplateError } from "../../../../../src/cli/format/template/template-error.ts";
import { Float, type Value } from "../../../../../src/cli/format/template/value.ts";
import cases from "./go/cases.json";

/** The data of go/main.go. */
const data: Value = {
  ID: "sha256:0123456789abcdef",
  Name: "web server",
  Text: "é<a href=\"x\">'&'\t\x01日本",
  Size: 1234567,
  Zero: 0,
  Ratio: 0.25,
  Whole: new Float(3),
  Running: true,
  Labels: new Map([
    ["b", "two"],
    ["a", "one"],
    ["com.example/x", "three"],
  ]),
  Options: new Map<string, Value>([
    ["text", "x"],
    ["number", 7],
    ["list", ["a", 1, null]],
    ["nothing", null],
    ["map", new Map<string, Value>([["deep", true]])],
  ]),
  Tags: ["one", "two", "three"],
  Empty: [],
  Numbers: [3, 1, 2],
  Inner: { Name: "inner", Count: 2, Tags: ["t"], Nothing: null },
  Nothing: null,
  Items: [
    { Name: "first", Count: 1, Tags: [], Nothing: null },
    { Name: "second", Count: 2, Tags: ["a", "b"], Nothing: null },
  ],
  Created: new Date("2026-01-02T15:04:05.250Z"),
  Label: (key: string) => `label ${key}`,
};

function outcome(template: string) {
  try {
    return { output: parseTemplate(template, dockerFunctions).execute(data), error: undefined };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { output: "", error: error.message };
  }
}

/** Where Bunker words a mistake differently: its structs have no names, its nil no type, and newer Go counts so too. */
function inOurWords(error: string | undefined): string | undefined {
  return error
    ?.replace(/nil pointer evaluating \*main\.\w+\./, "nil pointer evaluating interface {}.")
    .replace(/main\.(?:Data|Inner)$/, "struct")
    .replace(
      ".Tags 3>: error calling index: reflect: slice index out of range",
      ".Tags 3>: error calling index: index out of range: 3",
    );
}

describe("as Go does", () => {
  test.each(cases.map(({ template, output, error }) => [JSON.stringify(template), template, output, error] as const))(
    "%s",
    (_name, template, output, error) => {
      expect(outcome(template)).toEqual({ output, error: inOurWords(error) });
    },
  );
});

describe("as newer Go does", () => {
  test.each([
    ["{{with .Nothing}}a{{else with .Inner}}{{.Name}}{{else}}c{{end}}", "inner"],
    ["{{range 3}}{{.}}{{end}}", "012"],
    ["{{range $i := 2}}{{$i}};{{end}}", "0;1;"],
  ])("%s", (template, output) => {
    expect(outcome(template)).toEqual({ output, error: undefined });
  });

  test.each([
    ["{{(.Name))}}", "template: :1: unexpected right paren"],
    ["{{with .Nothing}}a{{else if .Name}}b{{end}}", "template: :1: unexpected <if> in else"],
    ["{{if .Nothing}}a{{else with .Name}}b{{end}}", "template: :1: unexpected <with> in else"],
  ])("%s is refused", (template, error) => {
    expect(outcome(template)).toEqual({ output: "", error });
  });
});

describe("hints", () => {
  test.each([
    ["{{.Nmae}}", "Did you mean .Name?"],
    ["{{.Inner.name}}", "Did you mean .Name?"],
    ["{{.Inner.Zzzzzz}}", "The fields are .Name .Count .Tags .Nothing."],
    ["{{uper .Name}}", "Did you mean upper?"],
    ["{{$data := .}}{{$dat}}", "Did you mean $data?"],
    ["{{.Name.Length}}", undefined],
  ])("%s", (template, hint) => {
    let error: unknown;
    try {
      parseTemplate(template, dockerFunctions).execute(data);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(TemplateError);
    expect((error as TemplateError).hint).toBe(hint);
  });
});

test("a template that calls itself for ever ends", () => {
  expect(outcome('{{define "x"}}{{template "x" .}}{{end}}{{template "x" .}}').error).toContain(
    "exceeded maximum template depth (500)",
  );
});

test("one template serves many values", () => {
  const template = parseTemplate("{{$x := .}}{{$x}}", dockerFunctions);
  expect(["a", "b"].map((value) => template.execute(value))).toEqual(["a", "b"]);
});

test("getters are computed only when asked for", () => {
  const lazy: Value = {
    Name: "x",
    get Size(): number {
      throw new Error("computed");
    },
  };
  expect(parseTemplate("{{.Name}}", dockerFunctions).execute(lazy)).toBe("x");
});

test("nothing of JavaScript can be reached", () => {
  for (const name of ["constructor", "__proto__", "toString", "length"]) {
    expect(outcome(`{{.${name}}}`).error).toContain(`can't evaluate field ${name}`);
    expect(outcome(`{{.Tags.${name}}}`).error).toContain(`can't evaluate field ${name}`);
    expect(outcome(`{{.Labels.${name}}}`).output).toBe("<no value>");
    expect(outcome(`{{${name} .}}`).error).toContain(`function "${name}" not defined`);
  }
});
