import { describe, expect, test } from "bun:test";
import { filterOption } from "../../../../src/cli/filters/filter-option.ts";
import { hasLabels } from "../../../../src/cli/filters/label-filter.ts";
import { pathPattern } from "../../../../src/cli/filters/path-pattern.ts";
import { parsePointInTime } from "../../../../src/cli/filters/point-in-time.ts";
import { referenceTest } from "../../../../src/cli/filters/reference-filter.ts";
import { InvalidValue } from "../../../../src/cli/invalid-value.ts";
import { parseArguments } from "../../../../src/cli/option-table.ts";

const syntax = { options: { filters: filterOption(["label", "until", "dangling"], "f") }, required: [] } as const;
const filtersOf = (...words: string[]) => {
  const given = parseArguments("bunker images", syntax, words);
  if (given === "help") throw new Error("unexpected");
  return given.options.filters;
};

test("filters are gathered by their keys", () => {
  const filters = filtersOf("-f", "label=a=b", "--filter=label=c", "-f", " Until = 10m ");
  expect(filters("label")).toEqual(["a=b", "c"]);
  expect(filters("until")).toEqual(["10m"]);
  expect(filters("dangling")).toEqual([]);
});

test.each([
  ["label", 'invalid value "label" for --filter: expected KEY=VALUE'],
  ["lable=x", "filter by lable=x: expected label, until or dangling; did you mean label?"],
])("--filter %s is refused", (value, message) => {
  expect(() => filtersOf("--filter", value)).toThrow(message);
});

test.each([
  [[], true],
  [["a"], true],
  [["a=1"], true],
  [["a=2"], false],
  [["b"], false],
  [["a", "empty="], true],
  [["a", "b"], false],
  [["toString"], false],
])("labels %j", (filters, fits) => {
  expect(hasLabels({ a: "1", empty: "" }, filters)).toBe(fits);
});

// Go's own table of path.Match.
test.each([
  ["abc", "abc", true],
  ["*", "abc", true],
  ["*c", "abc", true],
  ["a*", "a", true],
  ["a*", "ab/c", false],
  ["a*/b", "abc/b", true],
  ["a*/b", "a/c/b", false],
  ["a*b*c*d*e*/f", "axbxcxdxe/f", true],
  ["a*b*c*d*e*/f", "axbxcxdxexxx/fff", false],
  ["a*b?c*x", "abxbbxdbxebxczzx", true],
  ["ab[c]", "abc", true],
  ["ab[b-d]", "abc", true],
  ["ab[e-g]", "abc", false],
  ["ab[^c]", "abc", false],
  ["ab[^e-g]", "abc", true],
  ["a\\*b", "a*b", true],
  ["a\\*b", "ab", false],
  ["a?b", "a☺b", true],
  ["a[^a]b", "a☺b", true],
  ["a???b", "a☺b", false],
  ["[a-ζ]*", "α", true],
  ["*[a-ζ]", "A", false],
  ["a?b", "a/b", false],
  ["a*b", "a/b", false],
  ["[\\]a]", "]", true],
  ["[\\-]", "-", true],
  ["[x\\-]", "z", false],
  ["[\\-x]", "a", false],
  ["*x", "xxx", true],
  ["a.b", "axb", false],
  ["a+(b)", "a+(b)", true],
])("%s and %s", (pattern, name, fits) => {
  expect(pathPattern(pattern).test(name)).toBe(fits);
});

test.each(["[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "\\"])("%s is no pattern", (pattern) => {
  expect(() => pathPattern(pattern)).toThrow(InvalidValue);
});

test.each([
  ["docker.io/library/debian:12", "debian", true],
  ["docker.io/library/debian:12", "debian:12", true],
  ["docker.io/library/debian:12", "debian:1*", true],
  ["docker.io/library/debian:12", "deb*", true],
  ["docker.io/library/debian:12", "deb", false],
  ["docker.io/library/debian:12", "library/debian", false],
  ["docker.io/library/debian:12", "docker.io/library/debian", true],
  ["docker.io/library/debian:12", "docker.io/library/debian:1*", true],
  ["docker.io/library/debian:12", "docker.io/debian", true],
  ["docker.io/library/debian:12", "docker.io/*/debian:12", true],
  ["docker.io/user/debian:12", "docker.io/debian", false],
  ["docker.io/user/debian:12", "docker.io/user/debian", true],
  ["docker.io/user/debian:12", "debian", false],
  ["docker.io/user/debian:12", "*/debian", true],
  ["localhost:5000/a/b:1", "localhost:5000/a/*", true],
  ["localhost:5000/a/b:1", "localhost:5000/*", false],
])("%s fits %s: %p", (name, pattern, fits) => {
  expect(referenceTest(pattern)(name)).toBe(fits);
});

describe("points in time", () => {
  const now = Date.UTC(2026, 0, 2, 12);
  test.each([
    ["10m", now - 600_000],
    ["1h30m", now - 5_400_000],
    ["1.5h", now - 5_400_000],
    ["-1h", now + 3_600_000],
    ["500ms", now - 500],
    ["1136073600", 1_136_073_600_000],
    ["1136073600.25", 1_136_073_600_250],
    ["2026-01-02T03:04:05Z", Date.UTC(2026, 0, 2, 3, 4, 5)],
    ["2026-01-02T03:04:05.123456789Z", Date.UTC(2026, 0, 2, 3, 4, 5, 123) + 0.456],
    ["2026-01-02T03:04:05+02:00", Date.UTC(2026, 0, 2, 1, 4, 5)],
    ["2026-01-02T03:04Z", Date.UTC(2026, 0, 2, 3, 4)],
    ["2026-01-02Z", Date.UTC(2026, 0, 2)],
    ["2026-01-02", new Date(2026, 0, 2).getTime()],
    ["2026-01-02T03:04:05", new Date(2026, 0, 2, 3, 4, 5).getTime()],
  ])("%s", (text, time) => {
    expect(parsePointInTime(text, now)).toBe(time);
  });

  test.each([
    "",
    "-",
    "yesterday",
    "2026-02-31",
    "2026-13-01",
    "2026-01-02T25:00Z",
    "10x",
    "1h 3m",
    "99999999999999",
    `${"9".repeat(400)}h`,
  ])("%p is none", (text) => {
    expect(() => parsePointInTime(text, now)).toThrow(InvalidValue);
  });
});
