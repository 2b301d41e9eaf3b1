/*
 * Changes of an image's configuration, written as instructions of a Dockerfile: `--change` of `import` and `commit`. They
 * are what a Dockerfile could say at its end without touching files, so they are read by the same code; variables have the
 * values of the image's environment.
 */
import type { ConfigurationChange } from "../../image/configuration-parameters.ts";
import { BunkerError } from "../../sys/error.ts";
import { changeConfiguration } from "./change-configuration.ts";
import { DockerfileError } from "./dockerfile-error.ts";
import { expandInstruction } from "./expand-instruction.ts";
import type { Instruction, InstructionName } from "./instruction.ts";
import { readLogicalLines } from "./logical-lines.ts";
import { parseInstruction } from "./parse-instruction.ts";

const ALLOWED: readonly InstructionName[] = [
  "CMD",
  "ENTRYPOINT",
  "ENV",
  "EXPOSE",
  "HEALTHCHECK",
  "LABEL",
  "ONBUILD",
  "SHELL",
  "STOPSIGNAL",
  "USER",
  "VOLUME",
  "WORKDIR",
];

/**
 * Reads changes that are to be made one after the other. Making them may fail too, where that depends on values.
 * @param texts such as `CMD ["sh"]`, `ENV A=1`; the names of instructions in upper or lower case
 * @throws BunkerError `invalid_change`
 */
export function parseChanges(texts: readonly string[]): readonly ConfigurationChange[] {
  let hasCommand = false;
  return texts.map((text) => {
    const instruction = named(text, () => parseChange(text));
    hasCommand ||= instruction.name === "CMD";
    const hadCommand = hasCommand;
    return (parameters) =>
      named(text, () => {
        const environment = new Map(
          (parameters.Env ?? []).map((entry) => {
            const [name = ""] = entry.split("=", 1);
            return [name, entry.slice(name.length + 1)];
          }),
        );
        const expanded = expandInstruction(instruction, { lookUp: (name) => environment.get(name), escape: "\\" });
        return changeConfiguration(parameters, expanded, hadCommand);
      });
  });
}

function parseChange(text: string): Instruction {
  const source = { name: "the change", lines: text.split("\n") };
  const [line, ...more] = readLogicalLines(source).instructions;
  const location = { source, firstLine: 1, lastLine: source.lines.length };
  const allowed = `it may be ${ALLOWED.join(", ")}`;
  if (line === undefined || more.length > 0) throw new DockerfileError(location, allowed);
  const [keyword = ""] = line.text.split(/\s/, 1);
  if (!ALLOWED.some((name) => name === keyword.toUpperCase())) throw new DockerfileError(location, allowed);
  return parseInstruction(line, "\\");
}

/** Says which change it is about. */
function named<Result>(text: string, work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof DockerfileError)) throw cause;
    const details = { code: "invalid_change", operation: "apply the change", object: JSON.stringify(text) };
    throw new BunkerError({ ...details, reason: cause.mistake }, { cause });
  }
}
