import type { Platform } from "../../image/platform.ts";
import type { BuildOptions } from "../build-options.ts";
import { expandInstruction } from "../dockerfile/expand-instruction.ts";
import type { Dockerfile, Stage } from "../dockerfile/instruction.ts";
import { findStage } from "../dockerfile/parse-dockerfile.ts";
import type { FileSource } from "../files/file-source.ts";
import { ignoreState, isIgnored } from "../files/ignore-patterns.ts";
import { fromScope, type GlobalArguments } from "../graph/stage-variables.ts";
import type { BaseImage } from "../layers/base-image.ts";
import { readBase } from "../layers/image-configuration.ts";
import { type LintResult, lintDockerfile } from "./lint-dockerfile.ts";

/** An image that a stage is from, and what it was wanted for. */
export interface FoundBase {
  readonly image: BaseImage;
  readonly expected: Platform;
}

/**
 * Checks the Dockerfile of a build.
 * @param bases the images of stages by their indexes, as far as they are known
 * @param stages those that are built; undefined for all
 * @throws DockerfileError for options of the checks that are wrong
 */
export function checkBuild(
  dockerfile: Dockerfile,
  options: BuildOptions,
  global: GlobalArguments,
  context: FileSource | undefined,
  bases: ReadonlyMap<number, FoundBase>,
  stages: ReadonlySet<number> | undefined,
): LintResult {
  return lintDockerfile(dockerfile, {
    global,
    options: options.buildArguments.get("BUILDKIT_DOCKERFILE_CHECK"),
    images: new Map(
      [...bases].map(([index, { image, expected }]) => [
        index,
        { configuration: readBase(image).configuration, platform: image.stored.platform, expected },
      ]),
    ),
    isIgnored: ignoring(context),
    stages,
  });
}

/** Whether a path of the context is left out; undefined where that cannot be told of a path alone. */
function ignoring(context: FileSource | undefined): ((path: string) => boolean) | undefined {
  if (context?.kind !== "directory" || context.ignored.length === 0) return undefined;
  if (context.ignored.some((pattern) => pattern.startsWith("!"))) return undefined;
  const state = ignoreState(context.ignored);
  return (path) => isIgnored(state, path);
}

/** The stages that a target needs, itself among them, by their indexes. */
export function neededStages(dockerfile: Dockerfile, target: Stage, global: GlobalArguments): ReadonlySet<number> {
  const needed = new Set<number>();
  const visit = ({ index, from, instructions }: Stage) => {
    if (needed.has(index)) return;
    needed.add(index);
    const names = [
      expandInstruction(from, fromScope(global)).base,
      ...instructions.flatMap((instruction) => {
        if (instruction.name === "RUN") return instruction.mountedFrom;
        return instruction.name === "COPY" && instruction.from !== undefined ? [instruction.from] : [];
      }),
    ];
    for (const name of names) {
      const stage = findStage(dockerfile, name, index);
      if (stage !== undefined) visit(stage);
    }
  };
  visit(target);
  return needed;
}
