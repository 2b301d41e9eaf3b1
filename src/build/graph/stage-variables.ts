/*
 * What variables mean in a Dockerfile: "ARG" in the reference. Before the first FROM there are the global arguments and the
 * platforms; a stage has those that it declares itself, and what its image and its ENVs have in the environment, which
 * always comes first. A declaration takes the value of --build-arg, or its default, or what is known globally.
 */

import { formatPlatform, type Platform } from "../../image/platform.ts";
import { isBuilderArgument } from "../builder-arguments.ts";
import { atLocation } from "../dockerfile/dockerfile-error.ts";
import { expand, type Scope } from "../dockerfile/expand.ts";
import type { Dockerfile, EscapeCharacter, InstructionNamed } from "../dockerfile/instruction.ts";

/** Arguments that commands get without a declaration, and that are in no key: "Predefined ARGs". */
export const PROXY_VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap((name) => [
  name,
  name.toLowerCase(),
]);

/** The arguments of all stages. */
export interface GlobalArguments {
  /** `--build-arg`. */
  readonly given: ReadonlyMap<string, string>;
  /** Those before the first FROM, with their values. */
  readonly declared: ReadonlyMap<string, string>;
  /** Of the platforms and the target. */
  readonly predefined: ReadonlyMap<string, string>;
  readonly escape: EscapeCharacter;
}

/** Reads the arguments before the first FROM. */
export function globalArguments(
  { globalArguments: instructions, directives }: Dockerfile,
  given: ReadonlyMap<string, string>,
  predefined: ReadonlyMap<string, string>,
): GlobalArguments {
  const declared = new Map<string, string>();
  const global = { given, declared, predefined, escape: directives.escape };
  const scope = fromScope(global);
  for (const { arguments: declarations, location } of instructions) {
    for (const { name, value } of declarations) {
      const chosen = given.get(name) ?? (value && atLocation(location, () => expand(value, scope)));
      if (chosen !== undefined) declared.set(name, chosen);
    }
  }
  return global;
}

/** What the platforms are called in arguments. */
export function platformArguments(build: Platform, target: Platform): ReadonlyMap<string, string> {
  const of = (prefix: string, platform: Platform) => [
    [`${prefix}PLATFORM`, formatPlatform(platform)] as const,
    [`${prefix}OS`, platform.os] as const,
    [`${prefix}ARCH`, platform.architecture] as const,
    [`${prefix}VARIANT`, platform.variant ?? ""] as const,
    [`${prefix}OSVERSION`, ""] as const,
  ];
  return new Map([...of("BUILD", build), ...of("TARGET", target)]);
}

/** Arguments that were given and that no ARG of the file declares, nor Bunker knows. */
export function unconsumedArguments(
  { globalArguments: globals, stages }: Dockerfile,
  { given, predefined }: GlobalArguments,
): readonly string[] {
  const all = [...globals, ...stages.flatMap(({ instructions }) => instructions)];
  const declared = all.flatMap((instruction) =>
    instruction.name === "ARG" ? instruction.arguments.map(({ name }) => name) : [],
  );
  const isKnown = (name: string) =>
    [...declared, ...predefined.keys(), ...PROXY_VARIABLES].includes(name) || isBuilderArgument(name);
  return [...given.keys()].filter((name) => !isKnown(name));
}

/** What FROM sees. */
export function fromScope({ declared, predefined, ...rest }: GlobalArguments): Scope {
  return { lookUp: (name) => declared.get(name) ?? predefined.get(name), escape: rest.escape };
}

/** The variables at one place of a stage; changes with each instruction. */
export class StageVariables {
  readonly #global: GlobalArguments;
  readonly #environment: Map<string, string>;
  readonly #arguments = new Map<string, string>();
  readonly #declared = new Map<string, string>();

  /** @param environment `NAME=value` of the image that the stage begins with */
  constructor(global: GlobalArguments, environment: readonly string[]) {
    this.#global = global;
    this.#environment = environmentMap(environment);
  }

  /** The same variables, for another stage to change. */
  copy(): StageVariables {
    const copy = new StageVariables(this.#global, []);
    for (const [name, value] of this.#environment) copy.#environment.set(name, value);
    for (const [name, value] of this.#arguments) copy.#arguments.set(name, value);
    for (const [name, shown] of this.#declared) copy.#declared.set(name, shown);
    return copy;
  }

  get scope(): Scope {
    return { lookUp: (name) => this.#environment.get(name) ?? this.#arguments.get(name), escape: this.#global.escape };
  }

  /** ENV has been done. */
  setEnvironment(environment: readonly string[]): void {
    this.#environment.clear();
    for (const [name, value] of environmentMap(environment)) this.#environment.set(name, value);
  }

  /**
   * Does an ARG.
   * @returns `NAME` or `NAME=value` of each, as the history shows it
   */
  declare({ arguments: declarations, location }: InstructionNamed<"ARG">): readonly string[] {
    const { given, declared, predefined } = this.#global;
    return declarations.map(({ name, value }): string => {
      const chosen =
        given.get(name) ??
        (value === undefined
          ? (declared.get(name) ?? predefined.get(name))
          : atLocation(location, () => expand(value, this.scope)));
      if (chosen !== undefined) this.#arguments.set(name, chosen);
      const shown = chosen === undefined ? name : `${name}=${chosen}`;
      this.#declared.set(name, shown);
      return shown;
    });
  }

  /** All that was declared so far, `NAME` or `NAME=value`. */
  declared(): readonly string[] {
    return [...this.#declared.values()];
  }

  /** The arguments that commands have in their environment, `NAME=value`, in the order of their declarations. */
  argumentEntries(): readonly string[] {
    const shown = [...this.#arguments].filter(([name]) => !this.#environment.has(name));
    return shown.map(([name, value]) => `${name}=${value}`);
  }

  /** The proxies of the build that commands have in their environment without a word about it. */
  proxyEntries(): readonly string[] {
    const isFree = (name: string) => !this.#environment.has(name) && !this.#arguments.has(name);
    return PROXY_VARIABLES.filter(isFree).flatMap((name) => {
      const value = this.#global.given.get(name);
      return value === undefined ? [] : [`${name}=${value}`];
    });
  }
}

function environmentMap(entries: readonly string[]): Map<string, string> {
  return new Map(
    entries.map((entry) => {
      const equals = entry.indexOf("=");
      return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}
