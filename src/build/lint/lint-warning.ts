import { quoteLines, type SourceLocation } from "../dockerfile/source-text.ts";
import { LINT_RULES, type LintRuleName } from "./rules.ts";

/** Something that breaks a rule. */
export interface LintWarning {
  readonly rule: LintRuleName;
  readonly detail: string;
  readonly location: SourceLocation;
}

/** The page that explains a rule; undefined where there is none. */
export function pageOfRule(name: LintRuleName): string | undefined {
  const { page } = LINT_RULES[name];
  return page === undefined ? undefined : `https://docs.docker.com/go/dockerfile/rule/${page}/`;
}

/** A warning with the lines that it is about, as `docker build --check` shows it. */
export function explainedWarning({ rule, detail, location }: LintWarning): string {
  const page = pageOfRule(rule);
  return `WARNING: ${rule}${page === undefined ? "" : ` - ${page}`}\n${detail}\n${quoteLines(location)}`;
}

/** A warning in one line, as a build shows it at its end. */
export function shortWarning({ rule, detail, location }: LintWarning): string {
  return `${rule}: ${detail} (line ${location.firstLine})`;
}
