/*
 * A build, from the Dockerfile to its outputs: by root of the user namespace that the files of stages are for, in a mount
 * namespace of its own (start-build.ts), or as far as the user gets who has called it (hand-over.ts).
 */
import { statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { ownershipOf } from "../engine/ownership.ts";
import type { Digest } from "../image/digest.ts";
import { hostPlatform, type Platform } from "../image/platform.ts";
import { openImageStore } from "../image/store/image-store.ts";
import { OpenBlobs } from "../image/store/open-blobs.ts";
import { nearestName } from "../nearest-name.ts";
import { BunkerError } from "../sys/error.ts";
import type { BuildOptions } from "./build-options.ts";
import { builderArguments } from "./builder-arguments.ts";
import { BuildCache } from "./cache/build-cache.ts";
import { collectCache } from "./cache/prune-cache.ts";
import { describeOutline, type Outline } from "./describe/describe-outline.ts";
import { type DescribedTarget, describeTargets } from "./describe/describe-targets.ts";
import type { Dockerfile, Stage } from "./dockerfile/instruction.ts";
import { findStage, parseDockerfile } from "./dockerfile/parse-dockerfile.ts";
import type { SourceText } from "./dockerfile/source-text.ts";
import { ContextKeys, type FoundKeys } from "./files/context-keys.ts";
import type { Root } from "./graph/root.ts";
import type { BuildSession } from "./graph/session.ts";
import { Slots } from "./graph/slots.ts";
import { stagePlanner } from "./graph/stage-planner.ts";
import { globalArguments, platformArguments, unconsumedArguments } from "./graph/stage-variables.ts";
import { HandOver, needRoot } from "./hand-over.ts";
import { BaseLayers } from "./layers/base-image.ts";
import { readBase } from "./layers/image-configuration.ts";
import { checkBuild, type FoundBase, neededStages } from "./lint/check-build.ts";
import { explainedWarning, type LintWarning } from "./lint/lint-warning.ts";
import { openSources } from "./open-sources.ts";
import { type BuiltTarget, type ExportedImage, exportTo } from "./output/export.ts";
import { PROVENANCE_PREDICATE, provenanceStatement } from "./output/provenance.ts";
import { type BuildObserver, Vertex } from "./progress.ts";

/** What was asked of a Dockerfile instead of building it; of checks the warnings are the answer. */
export interface BuildDescription {
  readonly source: SourceText;
  readonly outline?: Outline;
  readonly targets?: readonly DescribedTarget[];
}

/** What a build came to. */
export interface BuildResult {
  /** The image that was written last; undefined when only files were. */
  readonly image: ExportedImage | undefined;
  /** What in the Dockerfile is likely not meant. */
  readonly warnings: readonly LintWarning[];
  /** Whether that is an error; where checking was all that was asked for. */
  readonly isRefused: boolean;
  /** Where nothing was built. */
  readonly description: BuildDescription | undefined;
}

/** How often a build is begun whose context changes under its hands, such as a directory with a log in it. */
const MOST_ATTEMPTS = 5;

/** Who builds. */
interface Builder {
  readonly isRoot: boolean;
  readonly contextKeys: ContextKeys;
}

/**
 * Builds as the user who has called, as far as that goes; whatever is told of it is only true when there is a result.
 * @param data Bunker's data directory
 * @returns what root needs to know, where root is to do it
 * @throws the reason of `interruption`
 */
export async function findBuild(
  options: BuildOptions,
  data: string,
  observer: BuildObserver,
  interruption: AbortSignal,
): Promise<BuildResult | { readonly found: FoundKeys }> {
  if (isForRoot(options)) return { found: [] };
  using contextKeys = new ContextKeys(data, [], () => needRoot({ isRoot: false }));
  try {
    return await attemptBuild(options, data, { isRoot: false, contextKeys }, observer, interruption);
  } catch (error) {
    interruption.throwIfAborted();
    if (error instanceof HandOver || error instanceof BunkerError) return { found: contextKeys.found };
    throw error;
  }
}

/** Whether there is no use in trying it otherwise, or what is read for that could not be read again. */
function isForRoot(options: BuildOptions): boolean {
  const { context, dockerfile, ignoreFile, call, noCache, outputs, cacheDestinations } = options;
  if (context === "-" || isReadOnce(dockerfile) || isReadOnce(ignoreFile)) return true;
  if (call !== "build") return false;
  const isElsewhere = outputs.some((output) => output.type !== "image" || output.pushes);
  return noCache || isElsewhere || cacheDestinations.some(({ type }) => type !== "inline");
}

/** Whether a second process would not find again what one has read: standard input, or a pipe as of a shell's `<(command)`. */
function isReadOnce(path: string | undefined): boolean {
  if (path === undefined || path === "-") return path === "-";
  try {
    return !statSync(path).isFile();
  } catch {
    // It may be within the context; whoever reads it says what is wrong.
    return false;
  }
}

/**
 * Builds. Where files of the context change between the moment at which their keys are made and that at which they are
 * copied, the build is begun again: what it has done so far it finds in the cache, so it gets there sooner each time.
 * @param data Bunker's data directory
 * @param found of the context before
 * @throws BunkerError, also DockerfileError: what the first step fails with; the reason of `signal`
 */
export async function executeBuild(
  options: BuildOptions,
  data: string,
  found: FoundKeys,
  observer: BuildObserver,
  interruption: AbortSignal,
): Promise<BuildResult> {
  for (let attempt = 1; ; attempt++) {
    using contextKeys = new ContextKeys(data, attempt === 1 ? found : []);
    try {
      return await attemptBuild(options, data, { isRoot: true, contextKeys }, observer, interruption);
    } catch (error) {
      const isOvertaken = error instanceof BunkerError && error.code === "context_changed";
      if (!isOvertaken || attempt === MOST_ATTEMPTS) throw error;
      observer.warn("files of the build context have been changed while they were copied: building again");
    }
  }
}

async function attemptBuild(
  options: BuildOptions,
  data: string,
  builder: Builder,
  observer: BuildObserver,
  interruption: AbortSignal,
): Promise<BuildResult> {
  const ownership = ownershipOf({ kind: "default" }, data);
  // Otherwise whoever has started this process says it.
  if (!builder.isRoot) ownership.warnings.forEach((warning) => void observer.warn(warning));
  const failing = new AbortController();
  const signal = AbortSignal.any([interruption, failing.signal]);
  if (builder.isRoot) {
    const { removeLeftGroups } = await import("./run/group-record.ts");
    removeLeftGroups(data, (message) => observer.warn(message));
  }
  using cleanup = new DisposableStack();
  const store = cleanup.use(openImageStore(data));
  const blobs = cleanup.use(new OpenBlobs(store));
  const cache = cleanup.use(new BuildCache(data, ownership.mapping, builder.isRoot));
  const remote = cleanup.use(builder.isRoot ? await openRemoteCaches(options, observer) : undefined);
  const bases = cleanup.use(new BaseLayers(data, ownership.mapping, (message) => observer.warn(message), signal));
  const session: BuildSession = {
    ...{ data, ownership, store, blobs, cache, remote, bases, observer, signal, ...builder },
    fail: (cause) => failing.abort(cause),
    processors: new Slots(options.jobs ?? availableParallelism()),
    steps: new Map<never, Promise<Root>>(),
    arguments: builderArguments(options.buildArguments),
    registrySettings: options.registrySettings,
    sourceDateEpoch: sourceDateEpoch(options),
  };
  try {
    return await build(options, session);
  } catch (error) {
    session.fail(error);
    // Whatever still goes on is stopped, and has to be waited for: it uses what is closed next.
    await Promise.allSettled(session.steps.values());
    throw interruption.aborted ? interruption.reason : failing.signal.reason;
  }
}

async function build(options: BuildOptions, session: BuildSession): Promise<BuildResult> {
  const { observer, signal, cache } = session;
  await using sources = openSources(session, options);
  const loading = new Vertex(observer, `[internal] load build definition from ${sources.dockerfileName}`);
  const dockerfile = await loading.during(signal, async () => {
    const { name, content } = await sources.readDockerfile();
    loading.status("dockerfile", `transferring dockerfile: ${content.length}B`, true);
    return withFirstBase(parseDockerfile(content, name), options.firstBase);
  });
  const target = targetOf(dockerfile, options.target);
  const checked = globalsFor(dockerfile, options, options.platforms[0] ?? hostPlatform());
  const check = async (bases: ReadonlyMap<number, FoundBase>, stages: ReadonlySet<number> | undefined) =>
    checkBuild(dockerfile, options, checked, await sources.context(), bases, stages);
  const { source } = dockerfile;
  if (options.call === "check") {
    const { warnings, isError, error } = await check(new Map(), undefined);
    if (error !== undefined) throw error;
    return { image: undefined, warnings, isRefused: isError, description: { source } };
  }
  const wanted = neededStages(dockerfile, target, checked);
  if (options.call !== "build") {
    const description: BuildDescription =
      options.call === "outline"
        ? { source, outline: describeOutline(dockerfile, target, wanted, checked) }
        : { source, targets: describeTargets(dockerfile, checked) };
    return { image: undefined, warnings: [], isRefused: false, description };
  }
  const early = await check(new Map(), wanted);
  if (early.isError) throw refusedByChecks(early.warnings);
  const planners = options.platforms.map((platform) => {
    const global = globalsFor(dockerfile, options, platform);
    return stagePlanner(session, dockerfile, sources, options, global, platform);
  });
  const plans = planners.map((planner) => planner.plan(target));
  const started = Date.now();
  const targets = await Promise.all(
    plans.map(async (plan, place): Promise<BuiltTarget> => {
      const stage = await plan;
      const root = await stage.node.make();
      stage.node.showCached();
      const { platform } = stage;
      const bases = planners[place]?.bases ?? new Map();
      const { provenance: mode } = options;
      const statements = (names: readonly string[]) => {
        if (mode === undefined) return new Map();
        const facts = { mode, options, dockerfile, bases, platform, names, started, finished: Date.now() };
        return new Map([[PROVENANCE_PREDICATE, (manifest: Digest) => provenanceStatement(facts, manifest)]]);
      };
      return { stage, root, statements };
    }),
  );
  // Now it is known what the images say.
  const { warnings } = await check(planners[0]?.bases ?? new Map(), wanted);
  // The triggers of images may declare some.
  const unconsumed = targets.some(({ stage }) => stage.base !== undefined && readBase(stage.base).triggers.length > 0)
    ? []
    : unconsumedArguments(dockerfile, checked);
  if (unconsumed.length > 0) {
    observer.warn(
      `One or more build-args ${unconsumed.map((name) => JSON.stringify(name)).join(", ")} were not consumed`,
    );
  }
  cache.noteUse(targets.flatMap(({ root }) => root.layers));
  const [first, ...more] = targets;
  if (first === undefined) throw new Error("a build for no platform");
  let image: ExportedImage | undefined;
  for (const output of options.outputs) image = (await exportTo(session, output, [first, ...more], options)) ?? image;
  for (const destination of options.cacheDestinations) {
    if (destination.type === "inline") continue;
    const { exportCache } = await import("./remote-cache/export-cache.ts");
    await exportCache(
      session,
      destination,
      [first, ...more].map(({ stage }) => stage.node),
    );
  }
  cache.synchronize();
  // What was only found has made nothing larger.
  if (session.isRoot) collectCache(cache, session.data);
  return { image, warnings, isRefused: false, description: undefined };
}

async function openRemoteCaches({ cacheSources, registrySettings }: BuildOptions, observer: BuildObserver) {
  if (cacheSources.length === 0) return undefined;
  const { RemoteCaches } = await import("./remote-cache/remote-caches.ts");
  return new RemoteCaches(cacheSources, registrySettings, (message) => observer.warn(message));
}

function globalsFor(dockerfile: Dockerfile, { buildArguments, target }: BuildOptions, platform: Platform) {
  const predefined = new Map([...platformArguments(hostPlatform(), platform), ["TARGETSTAGE", target ?? "default"]]);
  return globalArguments(dockerfile, buildArguments, predefined);
}

/** `--from`: another image at the beginning of the first stage. */
function withFirstBase(dockerfile: Dockerfile, base: string | undefined): Dockerfile {
  const [first, ...rest] = dockerfile.stages;
  if (base === undefined || first === undefined) return dockerfile;
  return { ...dockerfile, stages: [{ ...first, from: { ...first.from, base } }, ...rest] };
}

function targetOf(dockerfile: Dockerfile, name: string | undefined): Stage {
  const { stages } = dockerfile;
  const last = stages.at(-1);
  if (last === undefined) throw new Error("a Dockerfile without a stage");
  if (name === undefined) return last;
  const found = findStage(dockerfile, name, stages.length);
  if (found !== undefined) return found;
  const nearest = nearestName(
    name,
    stages.flatMap(({ from }) => from.stageName ?? []),
  );
  throw new BunkerError({
    code: "stage_not_found",
    operation: "find the target stage",
    object: JSON.stringify(name),
    reason: "the Dockerfile has none of this name",
    hint: nearest === undefined ? undefined : `Did you mean ${nearest}?`,
    exitStatus: 1,
  });
}

/** That what the checks have found is an error, as the Dockerfile wants it. */
function refusedByChecks(warnings: readonly LintWarning[]): BunkerError {
  return new BunkerError({
    code: "checks_failed",
    operation: "check the Dockerfile",
    reason: `${warnings.length} ${warnings.length === 1 ? "warning was" : "warnings were"} found, and check=error=true`,
    excerpt: warnings.map(explainedWarning).join("\n\n"),
    exitStatus: 1,
  });
}

/** `--build-arg SOURCE_DATE_EPOCH`, or what the environment says. */
function sourceDateEpoch({ buildArguments }: BuildOptions): number | undefined {
  const text = buildArguments.get("SOURCE_DATE_EPOCH") ?? process.env["SOURCE_DATE_EPOCH"] ?? "";
  if (text === "") return undefined;
  if (/^[0-9]{1,11}$/.test(text)) return Number(text);
  throw new BunkerError({
    code: "invalid_environment",
    operation: "read SOURCE_DATE_EPOCH",
    object: JSON.stringify(text),
    reason: "it is not a number of seconds",
    exitStatus: 1,
  });
}
