import { LanguageMistake } from "../dockerfile/dockerfile-error.ts";
import { LINT_RULES, type LintRuleName } from "./rules.ts";

/** Which rules are followed, and how strictly: the directive `check`. */
export interface LintOptions {
  readonly skipped: "all" | readonly string[];
  readonly experimental: "all" | readonly string[];
  /** Whether a build fails for what breaks a rule. */
  readonly isError: boolean;
}

/** Everything but what is experimental, without an error. */
const DEFAULT_LINT_OPTIONS: LintOptions = { skipped: [], experimental: [], isError: false };

/**
 * Reads `skip=NAME,NAME;experimental=all;error=true`.
 * @throws LanguageMistake
 */
export function parseLintOptions(text: string): LintOptions {
  const options = { ...DEFAULT_LINT_OPTIONS };
  for (const part of text.split(";")) {
    if (part.trim() === "") continue;
    const [key = "", ...rest] = part.split("=");
    const value = rest.join("=").trim();
    if (rest.length === 0) throw new LanguageMistake(`invalid check option ${JSON.stringify(part.trim())}`);
    switch (key.trim()) {
      case "skip":
        options.skipped = ruleNames(value);
        break;
      case "experimental":
        options.experimental = ruleNames(value);
        break;
      case "error":
        options.isError = readBoolean(value);
        break;
      default:
        throw new LanguageMistake(
          `invalid check option ${JSON.stringify(key.trim())} (it may be skip, experimental, error)`,
        );
    }
  }
  return options;
}

/** What is followed at an instruction that has `# check=...` above it, beside what is said of the whole file. */
export function withComments(options: LintOptions, comments: readonly string[]): LintOptions {
  for (const comment of comments) {
    const [, text] = /^check\s*=\s*(\S+)/i.exec(comment) ?? [];
    if (text === undefined) continue;
    const local = parseLintOptions(text);
    return {
      skipped: union(options.skipped, local.skipped),
      experimental: union(options.experimental, local.experimental),
      isError: options.isError,
    };
  }
  return options;
}

/** Whether a rule is followed. */
export function follows({ skipped, experimental }: LintOptions, name: LintRuleName): boolean {
  if (LINT_RULES[name].isExperimental) return experimental === "all" || experimental.includes(name);
  return skipped !== "all" && !skipped.includes(name);
}

function union(one: "all" | readonly string[], other: "all" | readonly string[]): "all" | readonly string[] {
  return one === "all" || other === "all" ? "all" : [...one, ...other];
}

/** A name that is no rule's is no mistake: the file may be written for later versions of the checks. */
function ruleNames(text: string): "all" | readonly string[] {
  return text === "all" ? "all" : text.split(",").map((name) => name.trim());
}

function readBoolean(text: string): boolean {
  if (/^(?:1|t|true)$/i.test(text)) return true;
  if (/^(?:0|f|false)$/i.test(text)) return false;
  throw new LanguageMistake(`failed to parse check option "error=${text}": it is true or false`);
}
