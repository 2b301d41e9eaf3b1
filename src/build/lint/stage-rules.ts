/*
 * Rules about what the instructions of a stage mean one after the other: for these the stage is gone through as in a
 * build, with its variables, but nothing is done.
 */
import { posix } from "node:path";
import type { ConfigurationParameters } from "../../image/configuration-parameters.ts";
import { nearestName } from "../../nearest-name.ts";
import { changeConfiguration } from "../dockerfile/change-configuration.ts";
import { atLocation } from "../dockerfile/dockerfile-error.ts";
import { expand, type Scope } from "../dockerfile/expand.ts";
import { expandInstruction } from "../dockerfile/expand-instruction.ts";
import { readExposedWord } from "../dockerfile/exposed-ports.ts";
import type { Instruction, InstructionName, Stage, StageInstruction } from "../dockerfile/instruction.ts";
import { runMounts } from "../dockerfile/run-mount.ts";
import type { GlobalArguments, StageVariables } from "../graph/stage-variables.ts";
import type { Report } from "./file-rules.ts";
import { recording } from "./recording-scope.ts";

/** What a stage begins with. */
export interface StageBeginning {
  readonly configuration: ConfigurationParameters;
  /** Whether all variables in its environment are known. */
  readonly isKnown: boolean;
  /** Whether WORKDIR has been used in the stages that it is from. */
  readonly hasDirectory: boolean;
  readonly variables: StageVariables;
  /** The ARGs of the stages that it is from. */
  readonly declared: readonly string[];
}

/** Names that mean something to BuildKit and are no variables. */
const NO_VARIABLES = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/** Of these only the last in a stage counts. */
const SINGLE: readonly InstructionName[] = ["CMD", "ENTRYPOINT", "HEALTHCHECK"];

/**
 * Goes through a stage.
 * @param isIgnored whether .dockerignore keeps a path of the context out; undefined where that cannot be said of paths
 * @returns what a stage that is from this one begins with
 * @throws DockerfileError
 */
export function checkStage(
  { instructions }: Stage,
  beginning: StageBeginning,
  global: GlobalArguments,
  isIgnored: ((path: string) => boolean) | undefined,
  report: Report,
): StageBeginning {
  const variables = beginning.variables.copy();
  const declared = [...beginning.declared];
  const last = new Map<InstructionName, StageInstruction>();
  let { configuration, hasDirectory } = beginning;
  for (const instruction of instructions) {
    const { name, keyword, location, comments } = instruction;
    const scope = recording(variables.scope);
    const expanded = whateverHappens(
      () => expandAll(instruction, scope, configuration.WorkingDir ?? "/", global),
      () => reportUndefined(instruction, scope.missing),
    );
    if (expanded.name === "ARG") {
      variables.declare(expanded);
      declared.push(...expanded.arguments.map(({ name: argument }) => argument));
    }

    if (SINGLE.includes(name)) {
      const previous = last.get(name);
      if (previous !== undefined) {
        const detail = `Multiple ${keyword} instructions should not be used in the same stage because only the last one will be used`;
        report({ rule: "MultipleInstructionsDisallowed", detail, location: previous.location }, comments);
      }
      last.set(name, instruction);
    }
    switch (expanded.name) {
      case "CMD":
      case "ENTRYPOINT":
        if (expanded.command.form === "shell" && (configuration.Shell ?? []).length === 0) {
          const detail = `JSON arguments recommended for ${keyword} to prevent unintended behavior related to OS signals`;
          report({ rule: "JSONArgsRecommended", detail, location }, comments);
        }
        break;
      case "WORKDIR":
        if (!hasDirectory && !posix.isAbsolute(expanded.path)) {
          const detail = `Relative workdir "${expanded.path}" can have unexpected results if the base image changes`;
          report({ rule: "WorkdirRelativePath", detail, location }, comments);
        }
        hasDirectory = true;
        break;
      case "EXPOSE":
        for (const word of expanded.ports) atLocation(location, () => checkPort(word, instruction, report));
        break;
      case "ADD":
        checkIgnored("Add", expanded.sources.filter(isLocal), instruction);
        break;
      case "COPY":
        if (expanded.from === undefined) checkIgnored("Copy", expanded.sources, instruction);
        break;
      default:
    }
    configuration = changeConfiguration(configuration, expanded, last.has("CMD"));
    variables.setEnvironment(configuration.Env ?? []);
  }
  return { configuration, isKnown: beginning.isKnown, hasDirectory, variables, declared };

  function reportUndefined({ location, comments }: Instruction, names: Iterable<string>): void {
    if (!beginning.isKnown) return;
    const known = (configuration.Env ?? []).map((entry) => entry.split("=", 1)[0] ?? "");
    for (const name of names) {
      if (declared.includes(name) || NO_VARIABLES.includes(name) || name === "PATH") continue;
      const nearest = nearestName(name, [...known, ...declared]);
      const guess = nearest === undefined ? "" : ` (did you mean $${nearest}?)`;
      report({ rule: "UndefinedVar", detail: `Usage of undefined variable '$${name}'${guess}`, location }, comments);
    }
  }

  function checkIgnored(verb: string, sources: readonly string[], { location, comments }: Instruction): void {
    for (const source of sources) {
      const path = posix.normalize(source).replace(/^\/+|\/+$/g, "") || ".";
      if (!isIgnored?.(path)) continue;
      const detail = `Attempting to ${verb} file "${path}" that is excluded by .dockerignore`;
      report({ rule: "CopyIgnoredFile", detail, location }, comments);
    }
  }
}

/** Replaces all variables of an instruction, also those that a build replaces later. */
function expandAll(
  instruction: StageInstruction,
  scope: Scope,
  workingDirectory: string,
  { given }: GlobalArguments,
): StageInstruction {
  const expanded = expandInstruction(instruction, scope);
  if (expanded.name === "RUN") runMounts(expanded, scope, workingDirectory);
  if (expanded.name === "ARG") {
    for (const { name, value } of expanded.arguments) {
      if (value !== undefined && !given.has(name)) atLocation(expanded.location, () => expand(value, scope));
    }
  }
  return expanded;
}

function whateverHappens<Result>(work: () => Result, then: () => void): Result {
  try {
    return work();
  } finally {
    then();
  }
}

function isLocal(source: string): boolean {
  return !/^(?:https?:\/\/|git@|git:\/\/|ssh:\/\/)/.test(source);
}

function checkPort(word: string, { location, comments }: Instruction, report: Report): void {
  const { protocol, namesHost } = readExposedWord(word);
  if (protocol !== protocol.toLowerCase()) {
    const detail = `Defined protocol '${word}' in EXPOSE instruction should be lowercase`;
    report({ rule: "ExposeProtoCasing", detail, location }, comments);
  }
  if (namesHost) {
    const detail = `EXPOSE instruction should not define an IP address or host-port mapping, found '${word}'`;
    report({ rule: "ExposeInvalidFormat", detail, location }, comments);
  }
}
