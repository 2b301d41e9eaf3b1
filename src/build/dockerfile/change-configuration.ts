/*
 * What instructions change in an image's configuration: those that touch no files, and what WORKDIR says beside making its
 * directory. Names that are a set or a map in the configuration are sorted, as Go writes them.
 */

import { posix } from "node:path";
import { DEFAULT_PATH } from "../../engine/specification/container-command.ts";
import type { ConfigurationParameters } from "../../image/configuration-parameters.ts";
import { BunkerError } from "../../sys/error.ts";
import { parseSignal } from "../../sys/signal.ts";
import { atLocation, LanguageMistake } from "./dockerfile-error.ts";
import { exposedPorts } from "./exposed-ports.ts";
import type { CommandLine, Instruction, NamedValue } from "./instruction.ts";

/** What runs commands that are one text, unless SHELL says otherwise. */
export const DEFAULT_SHELL = ["/bin/sh", "-c"] as const;

const DEFAULT_SEARCH_PATH = `PATH=${DEFAULT_PATH}`;

/** With a PATH where nothing below has one, as BuildKit does for `scratch`, too. */
export function withSearchPath(parameters: ConfigurationParameters): ConfigurationParameters {
  const { Env: environment = [] } = parameters;
  if (environment.some((entry) => entry.startsWith("PATH="))) return parameters;
  return { ...parameters, Env: [...environment, DEFAULT_SEARCH_PATH] };
}

/** With variables of the environment set, in place where they were. */
export function withVariables(
  parameters: ConfigurationParameters,
  values: readonly NamedValue[],
): ConfigurationParameters {
  return { ...parameters, Env: mergeEnvironment(parameters.Env ?? [], values) };
}

/**
 * Does what an instruction does to the configuration; nothing for one that does nothing to it.
 * @param instruction with its variables replaced
 * @param hasCommand whether the stage has had a CMD, which ENTRYPOINT then leaves alone
 * @throws DockerfileError
 */
export function changeConfiguration(
  parameters: ConfigurationParameters,
  instruction: Instruction,
  hasCommand: boolean,
): ConfigurationParameters {
  return atLocation(instruction.location, () => change(parameters, instruction, hasCommand));
}

function change(
  parameters: ConfigurationParameters,
  instruction: Instruction,
  hasCommand: boolean,
): ConfigurationParameters {
  switch (instruction.name) {
    case "CMD": {
      const { Cmd: _, ...rest } = parameters;
      return { ...rest, ...wordsMember("Cmd", words(instruction.command, parameters)) };
    }
    case "ENTRYPOINT": {
      const { Cmd, Entrypoint: _, ...rest } = parameters;
      const kept = hasCommand && Cmd !== undefined ? { Cmd } : {};
      return { ...rest, ...kept, ...wordsMember("Entrypoint", words(instruction.command, parameters)) };
    }
    case "ENV":
      return withVariables(parameters, instruction.values);
    case "EXPOSE":
      return { ...parameters, ExposedPorts: addNames(parameters.ExposedPorts, exposedPorts(instruction.ports)) };
    case "HEALTHCHECK":
      return { ...parameters, Healthcheck: instruction.healthcheck };
    case "LABEL": {
      const added = instruction.values.map(({ name, value }) => [name, value] as const);
      return { ...parameters, Labels: sorted([...Object.entries(parameters.Labels ?? {}), ...added]) };
    }
    case "ONBUILD":
      return { ...parameters, OnBuild: [...(parameters.OnBuild ?? []), instruction.trigger] };
    case "SHELL":
      return { ...parameters, Shell: instruction.shell };
    case "STOPSIGNAL":
      return { ...parameters, StopSignal: checkedSignal(instruction.signal) };
    case "USER":
      return { ...parameters, User: instruction.user };
    case "VOLUME":
      if (instruction.paths.includes("")) throw new LanguageMistake("VOLUME specified can not be an empty string");
      return { ...parameters, Volumes: addNames(parameters.Volumes, instruction.paths) };
    case "WORKDIR":
      return { ...parameters, WorkingDir: posix.resolve("/", parameters.WorkingDir ?? "", instruction.path) };
    default:
      return parameters;
  }
}

function words(command: CommandLine, { Shell = [] }: ConfigurationParameters): readonly string[] {
  return command.form === "exec" ? command.words : [...(Shell.length > 0 ? Shell : DEFAULT_SHELL), command.text];
}

/** No words are the same as no member. */
function wordsMember(name: "Cmd" | "Entrypoint", value: readonly string[]): ConfigurationParameters {
  return value.length === 0 ? {} : { [name]: value };
}

/** What is there already keeps its place. */
function mergeEnvironment(present: readonly string[], added: readonly NamedValue[]): string[] {
  const merged = new Map(present.map((entry) => [entry.split("=", 1)[0] ?? "", entry]));
  for (const { name, value } of added) merged.set(name, `${name}=${value}`);
  return [...merged.values()];
}

function addNames(present: Readonly<Record<string, object>> | undefined, added: readonly string[]) {
  return sorted([...Object.entries(present ?? {}), ...added.map((name) => [name, {}] as const)]);
}

function sorted<Value>(entries: readonly (readonly [string, Value])[]): Readonly<Record<string, Value>> {
  return Object.fromEntries(
    [...new Map(entries)].sort(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other))),
  );
}

function checkedSignal(text: string): string {
  try {
    parseSignal(text);
  } catch (cause) {
    if (!(cause instanceof BunkerError)) throw cause;
    throw new LanguageMistake([cause.message, cause.hint].filter((part) => part !== undefined).join(". "), { cause });
  }
  return text;
}
