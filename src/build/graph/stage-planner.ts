import { formatPlatform, type Platform } from "../../image/platform.ts";
import type { BuildOptions } from "../build-options.ts";
import type { Dockerfile, Stage } from "../dockerfile/instruction.ts";
import type { BaseImage } from "../layers/base-image.ts";
import type { FoundBase } from "../lint/check-build.ts";
import type { BuildSources, ImageSource } from "../sources.ts";
import { type PlanContext, type PlannedStage, planStage } from "./plan-stage.ts";
import { resolveImage } from "./resolve-image.ts";
import type { BuildSession } from "./session.ts";
import type { GlobalArguments } from "./stage-variables.ts";

/** What the stages of one Dockerfile are planned with, for one platform. */
export interface StagePlanner {
  /** The images of the stages that were planned, by their indexes. */
  readonly bases: ReadonlyMap<number, FoundBase>;
  /** @throws BunkerError, also DockerfileError */
  plan(stage: Stage): Promise<PlannedStage>;
}

/**
 * Makes a planner, which plans each stage and looks up each image once.
 * @param platform what is built for
 */
export function stagePlanner(
  session: BuildSession,
  dockerfile: Dockerfile,
  sources: BuildSources,
  options: BuildOptions,
  global: GlobalArguments,
  platform: Platform,
): StagePlanner {
  const planned = new Map<number, Promise<PlannedStage>>();
  const bases = new Map<number, FoundBase>();
  const images = new Map<string, Promise<BaseImage>>();
  const plan = (stage: Stage) => once(planned, stage.index, () => planStage(context, stage));
  const image = (source: ImageSource, wanted: Platform) =>
    once(images, `${source.kind} ${source.name} ${formatPlatform(wanted)}`, () =>
      resolveImage(session, { source, platform: wanted, pull: options.pull }),
    );
  const context: PlanContext = { session, dockerfile, sources, options, global, platform, bases, plan, image };
  return { bases, plan };
}

function once<Key, Result>(known: Map<Key, Promise<Result>>, key: Key, make: () => Promise<Result>): Promise<Result> {
  let result = known.get(key);
  if (result === undefined) {
    result = make();
    // Who awaits it is told.
    result.catch(() => undefined);
    known.set(key, result);
  }
  return result;
}
