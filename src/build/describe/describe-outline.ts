/*
 * The outline of a target: what can be given to its build. These are the arguments that its stages declare, those before
 * the first FROM that their FROMs name or their own declarations are about, and the secrets, agents and caches that their
 * commands ask for. Images are not looked up, so what is in their environments is not known.
 */
import type { ConfigurationParameters } from "../../image/configuration-parameters.ts";
import { changeConfiguration } from "../dockerfile/change-configuration.ts";
import { expandInstruction } from "../dockerfile/expand-instruction.ts";
import type { Dockerfile, InstructionNamed, Stage } from "../dockerfile/instruction.ts";
import { findStage } from "../dockerfile/parse-dockerfile.ts";
import { runMounts } from "../dockerfile/run-mount.ts";
import type { SourceLocation } from "../dockerfile/source-text.ts";
import { fromScope, type GlobalArguments, StageVariables } from "../graph/stage-variables.ts";
import { recording } from "../lint/recording-scope.ts";
import { commentOn, descriptionOf } from "./describe-targets.ts";

/** Something that a build can be given, and where it is asked for. */
interface Described {
  readonly name: string;
  readonly location: SourceLocation;
}

/** What can be given to the build of a target. */
export interface Outline {
  readonly name: string | undefined;
  readonly description: string;
  readonly arguments: readonly (Described & { readonly description: string; readonly value: string | undefined })[];
  readonly secrets: readonly (Described & { readonly isRequired: boolean })[];
  readonly agents: readonly (Described & { readonly isRequired: boolean })[];
  readonly caches: readonly Described[];
}

/**
 * Describes a target.
 * @param stages that it needs, by their indexes
 * @throws DockerfileError
 */
export function describeOutline(
  dockerfile: Dockerfile,
  target: Stage,
  stages: ReadonlySet<number>,
  global: GlobalArguments,
): Outline {
  const found = {
    arguments: new Map<string, Outline["arguments"][number]>(),
    secrets: new Map<string, Outline["secrets"][number]>(),
    agents: new Map<string, Outline["agents"][number]>(),
    caches: new Map<string, Described>(),
  };
  const declarations = new Map(
    dockerfile.globalArguments.flatMap((instruction) => instruction.arguments.map(({ name }) => [name, instruction])),
  );
  const addArgument = (name: string, value: string | undefined, { location, comments }: InstructionNamed<"ARG">) => {
    if (found.arguments.has(name)) return;
    const above = declarations.get(name);
    const description = commentOn(name, comments) || commentOn(name, above?.comments ?? []);
    found.arguments.set(name, { name, value, description, location });
  };
  const addMounts = (instruction: InstructionNamed<"RUN">, variables: StageVariables) => {
    const { location } = instruction;
    for (const mount of runMounts(instruction, variables.scope, "/")) {
      if (mount.type !== "secret" && mount.type !== "ssh" && mount.type !== "cache") continue;
      const described = { name: mount.id, location };
      if (mount.type === "cache") {
        if (!found.caches.has(mount.id)) found.caches.set(mount.id, described);
        continue;
      }
      const list = mount.type === "secret" ? found.secrets : found.agents;
      const isRequired = mount.isRequired || list.get(mount.id)?.isRequired === true;
      list.set(mount.id, { ...(list.get(mount.id) ?? described), isRequired });
    }
  };
  const ends: StageVariables[] = [];
  for (const stage of dockerfile.stages) {
    const scope = recording(fromScope(global));
    const { base } = expandInstruction(stage.from, scope);
    const below = findStage(dockerfile, base, stage.index);
    const variables = (below && ends[below.index]?.copy()) ?? new StageVariables(global, []);
    ends.push(variables);
    if (!stages.has(stage.index)) continue;
    for (const name of scope.found) {
      const declaration = declarations.get(name);
      if (declaration !== undefined) addArgument(name, global.declared.get(name), declaration);
    }
    let configuration: ConfigurationParameters = {};
    for (const written of stage.instructions) {
      const instruction = expandInstruction(written, variables.scope);
      if (instruction.name === "ARG") {
        variables.declare(instruction);
        for (const { name } of instruction.arguments) addArgument(name, variables.scope.lookUp(name), instruction);
      } else if (instruction.name === "ENV") {
        configuration = changeConfiguration(configuration, instruction, false);
        variables.setEnvironment(configuration.Env ?? []);
      } else if (instruction.name === "RUN") addMounts(instruction, variables);
    }
  }
  const inOrder = <Item extends Described>(items: ReadonlyMap<string, Item>) =>
    [...items.values()].sort((one, other) => one.location.firstLine - other.location.firstLine);
  return {
    name: target.from.stageName,
    description: descriptionOf(target),
    arguments: inOrder(found.arguments),
    secrets: inOrder(found.secrets),
    agents: inOrder(found.agents),
    caches: inOrder(found.caches),
  };
}
