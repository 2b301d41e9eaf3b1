/*
 * Which parts of an instruction have variables: "Environment replacement" in the Dockerfile reference. Commands have none
 * of the builder's, their shell replaces them; neither have triggers, which are expanded when they are done. ARG is
 * expanded where it is resolved, since its default may not be needed.
 */
import { atLocation } from "./dockerfile-error.ts";
import { expand, expandHeredoc, expandToWords, type Scope } from "./expand.ts";
import type { Heredoc, Instruction } from "./instruction.ts";

/**
 * Puts the values of variables into an instruction. The mounts of RUN are left as they are; see `runMounts`.
 * @throws DockerfileError
 */
export function expandInstruction<Given extends Instruction>(instruction: Given, scope: Scope): Given;
export function expandInstruction(instruction: Instruction, scope: Scope): Instruction {
  return atLocation(instruction.location, () => expandParts(instruction, scope));
}

function expandParts(instruction: Instruction, scope: Scope): Instruction {
  const word = (text: string) => expand(text, scope);
  const optional = (text: string | undefined) => (text === undefined ? undefined : word(text));
  switch (instruction.name) {
    case "ADD":
    case "COPY": {
      const copied = {
        sources: instruction.sources.map(word),
        heredocs: instruction.heredocs.map((heredoc) => expandContent(heredoc, scope)),
        destination: word(instruction.destination),
        chown: optional(instruction.chown),
        chmod: optional(instruction.chmod),
      };
      if (instruction.name === "COPY") return { ...instruction, ...copied };
      return { ...instruction, ...copied, checksum: optional(instruction.checksum) };
    }
    case "ENV":
    case "LABEL": {
      const values = instruction.values.map(({ name, value, ...rest }) => ({
        ...rest,
        name: word(name),
        value: word(value),
      }));
      return { ...instruction, values };
    }
    case "EXPOSE":
      return { ...instruction, ports: instruction.ports.flatMap((port) => expandToWords(port, scope)) };
    case "FROM":
      return { ...instruction, base: word(instruction.base), platform: optional(instruction.platform) };
    case "STOPSIGNAL":
      return { ...instruction, signal: word(instruction.signal) };
    case "USER":
      return { ...instruction, user: word(instruction.user) };
    case "VOLUME":
      return { ...instruction, paths: instruction.paths.map(word) };
    case "WORKDIR":
      return { ...instruction, path: word(instruction.path) };
    default:
      return instruction;
  }
}

function expandContent(heredoc: Heredoc, scope: Scope): Heredoc {
  return heredoc.expands ? { ...heredoc, content: expandHeredoc(heredoc.content, scope) } : heredoc;
}
