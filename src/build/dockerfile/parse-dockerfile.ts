/*
 * Reading Dockerfiles: bytes become lines, lines instructions, and instructions stages. Nothing is looked up or expanded,
 * so what is wrong here is wrong for every build. "Dockerfile reference", docs.docker.com, as of 2026.
 */
import { DockerfileError } from "./dockerfile-error.ts";
import type { Dockerfile, Instruction, InstructionNamed, Stage, StageInstruction } from "./instruction.ts";
import { readLogicalLines } from "./logical-lines.ts";
import { parseInstruction } from "./parse-instruction.ts";
import type { SourceText } from "./source-text.ts";

/**
 * Parses a Dockerfile.
 * @param bytes UTF-8, with or without a byte order mark
 * @param name how it is called in messages
 * @throws DockerfileError
 */
export function parseDockerfile(bytes: Uint8Array, name: string): Dockerfile {
  const source: SourceText = { name, lines: splitLines(decode(bytes, name)) };
  const { directives, instructions, emptyContinuations } = readLogicalLines(source);
  const globalArguments: InstructionNamed<"ARG">[] = [];
  const stages: { index: number; from: InstructionNamed<"FROM">; instructions: StageInstruction[] }[] = [];
  for (const line of instructions) {
    const instruction = parseInstruction(line, directives.escape);
    const stage = stages.at(-1);
    if (instruction.name === "FROM") {
      stages.push({ index: stages.length, from: instruction, instructions: [] });
    } else if (stage !== undefined) {
      stage.instructions.push(instruction);
    } else if (instruction.name === "ARG") {
      globalArguments.push(instruction);
    } else {
      throw new DockerfileError(
        instruction.location,
        `no build stage in current context: ${instruction.name} is before FROM`,
      );
    }
  }
  const [first, ...more] = stages;
  if (first === undefined) {
    const lastLine = Math.max(1, source.lines.length);
    const reason =
      globalArguments.length === 0 ? "file with no instructions" : "file with no build stages: there is no FROM";
    throw new DockerfileError({ source, firstLine: lastLine, lastLine }, reason);
  }
  return { source, directives, globalArguments, stages: [first, ...more], emptyContinuations };
}

/**
 * Parses what a base image wants done by builds on it.
 * @param triggers of its configuration
 * @param name how the image is called in messages
 * @throws DockerfileError
 */
export function parseTriggers(triggers: readonly string[], name: string): readonly StageInstruction[] {
  return triggers.map((trigger) => {
    const source: SourceText = { name: `ONBUILD of ${name}`, lines: splitLines(trigger) };
    const { directives, instructions } = readLogicalLines(source);
    const [line, ...more] = instructions;
    const location = { source, firstLine: 1, lastLine: source.lines.length };
    if (line === undefined || more.length > 0) {
      throw new DockerfileError(location, "a trigger must be one instruction");
    }
    const instruction: Instruction = parseInstruction(line, directives.escape);
    if (instruction.name === "FROM" || instruction.name === "ONBUILD" || instruction.name === "MAINTAINER") {
      throw new DockerfileError(location, `${instruction.name} isn't allowed as an ONBUILD trigger`);
    }
    return instruction;
  });
}

/**
 * The stage that `FROM NAME`, `COPY --from=NAME` and their like mean: a name in any case, or for what is not FROM a number.
 * @param before only stages above the one with this index count
 */
export function findStage({ stages }: Dockerfile, name: string, before: number): Stage | undefined {
  const wanted = name.toLowerCase();
  const above = stages.slice(0, before);
  return (
    above.findLast(({ from }) => from.stageName === wanted) ?? (/^\d+$/.test(name) ? above[Number(name)] : undefined)
  );
}

function decode(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const lines = splitLines(new TextDecoder().decode(bytes));
    const line = Math.max(1, lines.findIndex((each) => each.includes("\u{fffd}")) + 1);
    throw new DockerfileError({ source: { name, lines }, firstLine: line, lastLine: line }, "it is not UTF-8", {
      cause,
    });
  }
}

/** The last line may lack its end. */
function splitLines(text: string): string[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
