// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the language has them
import { describe, expect, test } from "bun:test";
import { LanguageMistake } from "../../../../src/build/dockerfile/dockerfile-error.ts";
import { expand, expandHeredoc, expandToWords, type Scope } from "../../../../src/build/dockerfile/expand.ts";

const values: Readonly<Record<string, string>> = {
  A: "value",
  EMPTY: "",
  BLANKS: "one two",
  PATH: "/usr/local/bin:/usr/bin",
  FILE: "archive.tar.gz",
  BRACKETS: "a[x].b",
  UMLAUT: "grün😀x",
};
const scope: Scope = {
  lookUp: (name) => (Object.hasOwn(values, name) ? values[name] : undefined),
  escape: "\\",
};

describe("expansion", () => {
  test.each([
    ["plain", "plain"],
    ["$A", "value"],
    ["${A}x", "valuex"],
    ["$Ax", ""],
    ["x$", "x$"],
    ["$1 $@ $A", "  value"],
    ["\\$A", "$A"],
    ["\\${A}", "${A}"],
    ["a\\ b", "a b"],
    ["a\\", "a"],
    ["'$A'", "$A"],
    ["'a\\b'", "a\\b"],
    ['"$A \\$A \\x \\\\ \\" \'q\'"', "value $A \\x \\ \" 'q'"],
    ['""', ""],
    ["${UNSET:-word}", "word"],
    ["${EMPTY:-word}", "word"],
    ["${EMPTY-word}", ""],
    ["${UNSET-word}", "word"],
    ["${A:+word}", "word"],
    ["${EMPTY:+word}", ""],
    ["${EMPTY+word}", "word"],
    ["${UNSET+word}", ""],
    ["${A:?no}", "value"],
    ["${EMPTY?no}", ""],
    ["${UNSET:-${EMPTY:-$A}}", "value"],
    ["${UNSET:-'a}b'}", "a}b"],
    ["${UNSET:-a\\}b}", "a}b"],
    ["${FILE%.*}", "archive.tar"],
    ["${FILE%%.*}", "archive"],
    ["${FILE#*.}", "tar.gz"],
    ["${FILE##*.}", "gz"],
    ["${FILE#nothing}", "archive.tar.gz"],
    ["${FILE%g?}", "archive.tar."],
    ["${PATH//\\/usr/-}", "-/local/bin:-/bin"],
    ["${PATH/:*/}", "/usr/local/bin"],
    ["${A/a?u/_}", "v_e"],
    ["${A//l/$EMPTY}", "vaue"],
    ["${BRACKETS#a[x]}", ".b"],
    ["${BRACKETS%.b}", "a[x]"],
    ["${A#\\*}", "value"],
    ["${UMLAUT%😀?}", "grün"],
    ["${UMLAUT/?/}", "rün😀x"],
    ["${UNSET#x}${UNSET/x/y}", ""],
  ])("%s is %j", (word, expected) => {
    expect(expand(word, scope)).toBe(expected);
  });

  test("of another escape character leaves backslashes alone", () => {
    expect(expand("C:\\x `$A $A", { ...scope, escape: "`" })).toBe("C:\\x $A value");
  });

  test.each([
    ["${A", "syntax error: missing '}'"],
    ["${", "syntax error: missing '}'"],
    ["${}", "syntax error: bad substitution"],
    ["${{A}}", "syntax error: bad substitution"],
    ["${A:x}", "unsupported modifier (:x)"],
    ["${A:", "unsupported modifier (:)"],
    ["${A^^}", "unsupported modifier (^)"],
    ["${A:-x", "missing '}'"],
    ["${A/x}", "missing '/'"],
    ["${A/x/y", "missing '}'"],
    ["${A#\\x}", "invalid escape '\\x'"],
    ["'x", "matching single-quote"],
    ['"x', "matching double-quote"],
    ["${UNSET?}", "UNSET: is not allowed to be unset"],
    ["${EMPTY:?}", "EMPTY: is not allowed to be empty"],
    ["${UNSET:?give it}", "UNSET: give it"],
  ])("refuses %s", (word, reason) => {
    expect(() => expand(word, scope)).toThrow(LanguageMistake);
    expect(() => expand(word, scope)).toThrow(reason);
  });

  test("separates words at blanks of the text and of values, not at quoted ones", () => {
    expect(expandToWords(` $BLANKS "$BLANKS" a\\ b '' x$BLANKS `, scope)).toEqual([
      "one",
      "two",
      "one two",
      "a b",
      "xone",
      "two",
    ]);
  });

  test("of a heredoc keeps quotation marks", () => {
    expect(expandHeredoc(`"$A" 'it' \\$A \${UNSET:-"x"}\n`, scope)).toBe(`"value" 'it' $A "x"\n`);
  });

  test("takes time in proportion to the text, whatever the pattern", () => {
    const long = { ...scope, lookUp: () => "a".repeat(5000) };
    expect(expand(`\${A%%${"*a".repeat(30)}b}`, long)).toBe("a".repeat(5000));
  });
});
