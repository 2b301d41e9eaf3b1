/** What `--call` shows instead of a build, in the forms of docker's. */
import type { BuildDescription } from "../../../build/build.ts";
import type { Outline } from "../../../build/describe/describe-outline.ts";
import type { DescribedTarget } from "../../../build/describe/describe-targets.ts";
import type { SourceLocation, SourceText } from "../../../build/dockerfile/source-text.ts";
import { type LintWarning, pageOfRule } from "../../../build/lint/lint-warning.ts";
import { LINT_RULES } from "../../../build/lint/rules.ts";

/** Shows a description as JSON, or for people; what the checks have found is for people elsewhere. */
export function describedBuild(
  { source, outline, targets }: BuildDescription,
  warnings: readonly LintWarning[],
  format: "text" | "json",
): string | undefined {
  if (outline !== undefined) return format === "json" ? json(outlineDocument(outline, source)) : outlineText(outline);
  if (targets !== undefined) return format === "json" ? json(targetsDocument(targets, source)) : targetsText(targets);
  return format === "json" ? json(checkDocument(warnings, source)) : undefined;
}

function json(value: object): string {
  return JSON.stringify(value, null, 2);
}

function targetsText(targets: readonly DescribedTarget[]): string {
  const rows = targets.map(({ name, isDefault, description }) => {
    const shown = isDefault ? `${name === undefined ? "" : `${name} `}(default)` : (name ?? "");
    return [shown, description];
  });
  return table([["TARGET", "DESCRIPTION"], ...rows], 1);
}

function outlineText({ name, description, arguments: args, secrets, agents, caches }: Outline): string {
  const head = [["TARGET:", name ?? "default"], ...(description === "" ? [] : [["DESCRIPTION:", description]])];
  const requirement = (isRequired: boolean) => (isRequired ? "true" : "");
  const parts = [
    [["BUILD ARG", "VALUE", "DESCRIPTION"], ...args.map((each) => [each.name, each.value ?? "", each.description])],
    [["SECRET", "REQUIRED"], ...secrets.map((each) => [each.name, requirement(each.isRequired)])],
    [["SSH", "REQUIRED"], ...agents.map((each) => [each.name, requirement(each.isRequired)])],
    [["CACHE ID"], ...caches.map((each) => [each.name])],
  ];
  return [table(head, 1), ...parts.filter(({ length }) => length > 1).map((rows) => table(rows, 3))].join("\n\n");
}

/** @param gap blanks between columns */
function table(rows: readonly (readonly string[])[], gap: number): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd((widths[column] ?? 0) + gap)).join(""));
  return lines.map((line) => line.trimEnd()).join("\n");
}

function targetsDocument(targets: readonly DescribedTarget[], source: SourceText): object {
  return {
    targets: targets.map(({ name, isDefault, description, base, platform, location }) => ({
      ...present({ name, default: isDefault, description, base, platform }),
      location: locationDocument(location),
    })),
    sources: [encoded(source)],
  };
}

function outlineDocument({ name, description, arguments: args, secrets, agents, caches }: Outline, source: SourceText) {
  const asked = (items: Outline["secrets"]) =>
    items.map((each) => ({
      ...present({ name: each.name, required: each.isRequired }),
      location: locationDocument(each.location),
    }));
  return {
    ...present({ name, description }),
    ...filled({
      args: args.map((each) => ({
        ...present({ name: each.name, description: each.description, value: each.value }),
        location: locationDocument(each.location),
      })),
      secrets: asked(secrets),
      ssh: asked(agents),
      cache: caches.map((each) => ({ ID: each.name, location: locationDocument(each.location) })),
    }),
    sources: [encoded(source)],
  };
}

function checkDocument(warnings: readonly LintWarning[], source: SourceText): object {
  return {
    warnings: warnings.map(({ rule, detail, location }) => ({
      ruleName: rule,
      description: LINT_RULES[rule].description,
      ...present({ url: pageOfRule(rule) }),
      detail,
      location: locationDocument(location),
    })),
    sources: [{ filename: source.name, language: "Dockerfile", data: encoded(source) }],
  };
}

function locationDocument({ firstLine, lastLine }: SourceLocation): object {
  return { ranges: [{ start: { line: firstLine }, end: { line: lastLine } }] };
}

function encoded({ lines }: SourceText): string {
  return Buffer.from(`${lines.join("\n")}\n`).toString("base64");
}

/** Without what Go would leave out. */
function present(members: Readonly<Record<string, string | boolean | undefined>>): object {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined && value !== "" && value !== false),
  );
}

function filled(lists: Readonly<Record<string, readonly object[]>>): object {
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));
}
