import { DockerfileError } from "../../../../src/build/dockerfile/dockerfile-error.ts";
import type { InstructionName, InstructionNamed } from "../../../../src/build/dockerfile/instruction.ts";
import { parseDockerfile } from "../../../../src/build/dockerfile/parse-dockerfile.ts";

/** Parses a text. */
export function parse(text: string) {
  return parseDockerfile(Buffer.from(text), "Dockerfile");
}

/** The only instruction of a stage, which must be of that name. */
export function parseOne<Name extends InstructionName>(name: Name, text: string): InstructionNamed<Name> {
  const [instruction, ...more] = parse(`FROM debian\n${text}`).stages[0].instructions;
  if (instruction?.name !== name || more.length > 0) throw new Error(`${text} is not one ${name}`);
  return instruction as InstructionNamed<Name>;
}

/** What is said of a text that is wrong, without the words before the line's number. */
export function mistakeIn(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof DockerfileError) return error.message.replace(/^read [^:]*: line /, "");
    throw error;
  }
  return "nothing";
}
