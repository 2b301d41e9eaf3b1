/*
 * Build checks: what is allowed in a Dockerfile, but likely not meant. Which rules are followed is said by
 * `# check=skip=NAME;error=true` at the beginning of the file, or instead of that from outside, and by the same comment
 * above an instruction for it alone.
 *
 * Some rules are about variables and their images: what is not known of an image is given the benefit of the doubt.
 */
import type { ConfigurationParameters } from "../../image/configuration-parameters.ts";
import type { Platform } from "../../image/platform.ts";
import { atLocation, DockerfileError } from "../dockerfile/dockerfile-error.ts";
import { expandInstruction } from "../dockerfile/expand-instruction.ts";
import type { Dockerfile } from "../dockerfile/instruction.ts";
import { findStage } from "../dockerfile/parse-dockerfile.ts";
import { fromScope, type GlobalArguments, StageVariables } from "../graph/stage-variables.ts";
import { checkBase, checkDefaults, checkPlatform } from "./base-rules.ts";
import { checkFile, type Report } from "./file-rules.ts";
import { follows, parseLintOptions, withComments } from "./lint-options.ts";
import type { LintWarning } from "./lint-warning.ts";
import { checkStage, type StageBeginning } from "./stage-rules.ts";

/** What is known of an image that a stage is from. */
interface LintImage {
  readonly configuration: ConfigurationParameters;
  readonly platform: Platform;
  /** What it was wanted for. */
  readonly expected: Platform;
}

/** What a Dockerfile is checked with. */
export interface LintInput {
  readonly global: GlobalArguments;
  /** `skip=...;error=...` instead of what the file says: the argument BUILDKIT_DOCKERFILE_CHECK. */
  readonly options: string | undefined;
  /** The images of stages by their indexes; those that are missing are not known. */
  readonly images: ReadonlyMap<number, LintImage>;
  /** Whether .dockerignore keeps a path of the context out; undefined without one, and with exceptions in it. */
  readonly isIgnored: ((path: string) => boolean) | undefined;
  /** The stages that are built; undefined for all. */
  readonly stages: ReadonlySet<number> | undefined;
}

/** What the checks have found. */
export interface LintResult {
  /** In the order of the file. */
  readonly warnings: readonly LintWarning[];
  /** Whether a warning is to make the build fail. */
  readonly isError: boolean;
  /** What cannot be built at all, and ended the checks. */
  readonly error: DockerfileError | undefined;
}

/**
 * Checks a Dockerfile.
 * @throws DockerfileError for options that are wrong
 */
export function lintDockerfile(file: Dockerfile, input: LintInput): LintResult {
  const { source, directives, globalArguments: globals, stages } = file;
  const place = { source, firstLine: 1, lastLine: 1 };
  const options = atLocation(place, () => parseLintOptions(input.options ?? directives.check ?? ""));
  const warnings: LintWarning[] = [];
  const report: Report = (warning, comments) => {
    const local = atLocation(warning.location, () => withComments(options, comments));
    if (follows(local, warning.rule)) warnings.push(warning);
  };
  const error = mistakeOf(() => {
    checkFile(file, report);
    checkDefaults(file, input.global, report);
    const declared = globals.flatMap(({ arguments: declarations }) => declarations.map(({ name }) => name));
    const ends: StageBeginning[] = [];
    for (const stage of stages) {
      const isBuilt = input.stages?.has(stage.index) ?? true;
      const reportBuilt: Report = isBuilt ? report : () => {};
      checkBase(stage.from, input.global, declared, report);
      const { base } = expandInstruction(stage.from, fromScope(input.global));
      const image = input.images.get(stage.index);
      if (image !== undefined) checkPlatform(stage.from, image.expected, image.platform, reportBuilt);
      const below = findStage(file, base, stage.index);
      const beginning = (below && ends[below.index]) ?? beginningOf(base, image, input.global);
      ends.push(checkStage(stage, beginning, input.global, input.isIgnored, reportBuilt));
    }
  });
  warnings.sort((one, other) => one.location.firstLine - other.location.firstLine);
  return { warnings, isError: options.isError && warnings.length > 0, error };
}

function beginningOf(base: string, image: LintImage | undefined, global: GlobalArguments): StageBeginning {
  const isKnown = image !== undefined || base === "scratch";
  const configuration = image?.configuration ?? {};
  const variables = new StageVariables(global, configuration.Env ?? []);
  return { configuration, isKnown, hasDirectory: false, variables, declared: [] };
}

function mistakeOf(work: () => void): DockerfileError | undefined {
  try {
    work();
  } catch (cause) {
    if (cause instanceof DockerfileError) return cause;
    throw cause;
  }
  return undefined;
}
