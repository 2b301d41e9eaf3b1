/*
 * Rules about how a Dockerfile is written, for which nothing but the file is needed.
 */
import type { Dockerfile, Instruction, InstructionNamed } from "../dockerfile/instruction.ts";
import type { LintWarning } from "./lint-warning.ts";

/** Gets what breaks a rule; `comments` are those above the instruction, which may switch rules off. */
export type Report = (warning: LintWarning, comments: readonly string[]) => void;

const RESERVED_STAGE_NAMES = ["context", "scratch"];

/** Looks at a whole file. */
export function checkFile(file: Dockerfile, report: Report): void {
  const { source, globalArguments, stages, emptyContinuations } = file;
  for (const line of emptyContinuations) {
    const location = { source, firstLine: line, lastLine: line };
    report({ rule: "NoEmptyContinuation", detail: "Empty continuation line", location }, []);
  }
  for (const argument of globalArguments) checkDescription(argument, report);
  const names = new Set<string>();
  for (const { from, instructions } of stages) {
    checkFrom(from, names, report);
    for (const instruction of instructions) checkInstruction(instruction, report);
  }
  checkCasing(
    stages.flatMap(({ from, instructions }) => [from, ...instructions]),
    report,
  );
}

function checkFrom(from: InstructionNamed<"FROM">, names: Set<string>, report: Report): void {
  const { text, keyword, stageName, location, comments } = from;
  if (stageName === undefined) return;
  const [as = "", written = ""] = text.split(/\s+/).slice(-2);
  if (written !== stageName) {
    report({ rule: "StageNameCasing", detail: `Stage name '${written}' should be lowercase`, location }, comments);
  }
  const expected = keyword === keyword.toLowerCase() ? as.toLowerCase() : as.toUpperCase();
  if (isOneCase(keyword) && as !== expected) {
    const detail = `'${as}' and '${keyword}' keywords' casing do not match`;
    report({ rule: "FromAsCasing", detail, location }, comments);
  }
  if (RESERVED_STAGE_NAMES.includes(stageName)) {
    const detail = `Stage name should not use the same name as reserved stage "${stageName}"`;
    report({ rule: "ReservedStageName", detail, location }, comments);
  }
  if (names.has(stageName)) {
    const detail = `Duplicate stage name "${stageName}", stage names should be unique`;
    report({ rule: "DuplicateStageName", detail, location }, comments);
  }
  names.add(stageName);
  checkDescription(from, report);
}

function checkInstruction(instruction: Instruction, report: Report): void {
  const { keyword, location, comments } = instruction;
  switch (instruction.name) {
    case "ARG":
      checkDescription(instruction, report);
      checkSecrets(
        "ARG",
        instruction.arguments.map(({ name }) => name),
        instruction,
        report,
      );
      break;
    case "ENV":
    case "LABEL":
      for (const { isLegacy } of instruction.values) {
        if (!isLegacy) continue;
        const detail = `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`;
        report({ rule: "LegacyKeyValueFormat", detail, location }, comments);
      }
      if (instruction.name === "ENV") {
        checkSecrets(
          "ENV",
          instruction.values.map(({ name }) => name),
          instruction,
          report,
        );
      }
      break;
    case "MAINTAINER": {
      const detail = "Maintainer instruction is deprecated in favor of using label";
      report({ rule: "MaintainerDeprecated", detail, location }, comments);
      break;
    }
    default:
  }
}

/** Words between `_` that tell of secrets, and those that tell that it is none. */
const SECRET = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const NO_SECRET = /(?:_|^)(?:public|file|version)(?:_|$)/i;

function checkSecrets(name: string, variables: readonly string[], instruction: Instruction, report: Report): void {
  for (const variable of variables) {
    if (!SECRET.test(variable) || NO_SECRET.test(variable)) continue;
    const detail = `Do not use ARG or ENV instructions for sensitive data (${name} "${variable}")`;
    report({ rule: "SecretsUsedInArgOrEnv", detail, location: instruction.location }, instruction.comments);
  }
}

/** A comment above a definition is its description, and begins with its name. */
function checkDescription(definition: InstructionNamed<"ARG"> | InstructionNamed<"FROM">, report: Report): void {
  const names =
    definition.name === "FROM" ? [definition.stageName ?? ""] : definition.arguments.map(({ name }) => name);
  const { name, location, comments } = definition;
  const [first = ""] = comments.at(-1)?.split(" ") ?? [];
  if (comments.length === 0 || /^check\s*=/i.test(comments.at(-1) ?? "") || names.includes(first)) return;
  const example = names.length > 1 ? "<arg_key>" : names[0];
  const detail = `Comment for ${name} should follow the format: \`# ${example} <description>\``;
  report({ rule: "InvalidDefinitionDescription", detail, location }, comments);
}

function isOneCase(word: string): boolean {
  return word === word.toLowerCase() || word === word.toUpperCase();
}

/** All names are to be in the case that most of them are in. */
function checkCasing(instructions: readonly Instruction[], report: Report): void {
  const lower = instructions.filter(({ keyword }) => keyword === keyword.toLowerCase()).length;
  const upper = instructions.filter(({ keyword }) => keyword === keyword.toUpperCase()).length;
  const isLower = lower > upper;
  for (const { keyword, location, comments } of instructions) {
    if (keyword === (isLower ? keyword.toLowerCase() : keyword.toUpperCase())) continue;
    const majority = isLower ? "lowercase" : "uppercase";
    const detail = `Command '${keyword}' should match the case of the command majority (${majority})`;
    report({ rule: "ConsistentInstructionCasing", detail, location }, comments);
  }
}
