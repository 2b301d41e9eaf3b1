/*
 * From a stage of the Dockerfile to nodes of the graph and an image's configuration. Instructions are taken in their order:
 * those about files become steps, the others change the configuration that the next ones see. Planning does nothing but to
 * look up images, since what they say is needed for that.
 */

import type { ConfigurationParameters } from "../../image/configuration-parameters.ts";
import { formatPlatform, type Platform, parsePlatform } from "../../image/platform.ts";
import { BunkerError } from "../../sys/error.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import type { BuildOptions } from "../build-options.ts";
import { parseUrlSource, type UrlSource, urlIdentity, urlPaths } from "../context/open-url.ts";
import { changeConfiguration, DEFAULT_SHELL, withSearchPath } from "../dockerfile/change-configuration.ts";
import { createdBy, type HistoryDetails } from "../dockerfile/created-by.ts";
import { DockerfileError } from "../dockerfile/dockerfile-error.ts";
import { expandInstruction } from "../dockerfile/expand-instruction.ts";
import type { Dockerfile, InstructionNamed, RunMount, Stage, StageInstruction } from "../dockerfile/instruction.ts";
import { findStage, parseTriggers } from "../dockerfile/parse-dockerfile.ts";
import { runMounts } from "../dockerfile/run-mount.ts";
import { quoteLines, type SourceLocation } from "../dockerfile/source-text.ts";
import type { FileSource } from "../files/file-source.ts";
import { keyOfFiles } from "../files/key-of-files.ts";
import type { BaseImage } from "../layers/base-image.ts";
import { readBase } from "../layers/image-configuration.ts";
import type { FoundBase } from "../lint/check-build.ts";
import { Vertex } from "../progress.ts";
import { hasEmulator } from "../run/emulator.ts";
import type { BuildSources } from "../sources.ts";
import {
  type CopySource,
  type CopyStep,
  copyDefinition,
  copyInputs,
  destinationOf,
  executeCopy,
  executeMakeDirectory,
  fileWork,
} from "./copy-step.ts";
import { isNative, resolveImage } from "./resolve-image.ts";
import { executeRunStep, type RunStep, runDefinition, runInputs, wordsOf } from "./run-step.ts";
import type { BuildSession } from "./session.ts";
import { fromScope, type GlobalArguments, StageVariables } from "./stage-variables.ts";
import { imageNode, type RootNode, Step, type StepInput, type StepWork, scratchNode } from "./step.ts";

/** One line of an image's history. */
interface HistoryLine {
  readonly createdBy: string;
  /** Whether it has a layer. */
  readonly hasLayer: boolean;
}

/** A stage that can be built. */
export interface PlannedStage {
  readonly node: RootNode;
  /** The image at its beginning; undefined for scratch. */
  readonly base: BaseImage | undefined;
  readonly platform: Platform;
  readonly configuration: ConfigurationParameters;
  readonly author: string | undefined;
  /** What comes after the history of `base`. */
  readonly history: readonly HistoryLine[];
  /** At its end: a stage that is from this one has its arguments, too. */
  readonly variables: StageVariables;
}

/** What the stages of one Dockerfile are planned with, for one platform. */
export interface StagePlanner {
  /** The images of the stages that were planned, by their indexes. */
  readonly bases: ReadonlyMap<number, FoundBase>;
  /** @throws BunkerError, also DockerfileError */
  plan(stage: Stage): Promise<PlannedStage>;
}

/** A kind of instruction that makes a step. */
function makesStep({ name }: StageInstruction): boolean {
  return name === "RUN" || name === "COPY" || name === "ADD" || name === "WORKDIR";
}

/**
 * Makes a planner.
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
  const planner = {
    bases,
    plan(stage: Stage): Promise<PlannedStage> {
      let plan = planned.get(stage.index);
      if (plan === undefined) {
        plan = new StagePlan(context, stage).plan();
        // Who awaits it is told.
        plan.catch(() => undefined);
        planned.set(stage.index, plan);
      }
      return plan;
    },
    image(name: string, wanted: Platform): Promise<BaseImage> {
      const key = `${name} ${formatPlatform(wanted)}`;
      let image = images.get(key);
      if (image === undefined) {
        image = resolveImage(session, { name, platform: wanted, pulls: options.pulls });
        image.catch(() => undefined);
        images.set(key, image);
      }
      return image;
    },
  };
  const { plan, image } = planner;
  const context: PlanContext = { session, dockerfile, sources, options, global, platform, bases, plan, image };
  return planner;
}

interface PlanContext {
  readonly session: BuildSession;
  readonly dockerfile: Dockerfile;
  readonly sources: BuildSources;
  readonly options: BuildOptions;
  readonly global: GlobalArguments;
  readonly platform: Platform;
  readonly bases: Map<number, FoundBase>;
  plan(stage: Stage): Promise<PlannedStage>;
  image(name: string, platform: Platform): Promise<BaseImage>;
}

/** The state of planning one stage. */
class StagePlan {
  readonly #context: PlanContext;
  readonly #stage: Stage;
  readonly #prefix: string;
  readonly #history: HistoryLine[] = [];
  #variables: StageVariables;
  #configuration: ConfigurationParameters = {};
  #hasCommand = false;
  #author: string | undefined;
  #platform: Platform;
  #base: BaseImage | undefined;
  #node: RootNode = scratchNode();
  #count = 1;
  #total: number;

  constructor(context: PlanContext, stage: Stage) {
    this.#context = context;
    this.#stage = stage;
    this.#platform = context.platform;
    this.#variables = new StageVariables(context.global, []);
    const { stages } = context.dockerfile;
    const name = stage.from.stageName ?? (stages.length > 1 ? `stage-${stage.index}` : "");
    const platform = context.options.platforms.length > 1 ? formatPlatform(context.platform) : "";
    this.#prefix = [platform, name]
      .filter((part) => part !== "")
      .map((part) => `${part} `)
      .join("");
    this.#total = 1 + stage.instructions.filter(makesStep).length;
  }

  async plan(): Promise<PlannedStage> {
    const triggers = await this.#begin();
    this.#configuration = withSearchPath(this.#configuration);
    this.#variables.setEnvironment(this.#configuration.Env ?? []);
    for (const instruction of [...triggers, ...this.#stage.instructions]) await this.#take(instruction);
    return {
      node: this.#node,
      base: this.#base,
      platform: this.#platform,
      configuration: this.#configuration,
      author: this.#author,
      history: this.#history,
      variables: this.#variables,
    };
  }

  /** Does FROM; returns the triggers of the image. */
  async #begin(): Promise<readonly StageInstruction[]> {
    const { global, dockerfile, sources } = this.#context;
    const { from, index } = this.#stage;
    const { base, platform, location } = expandInstruction(from, fromScope(global));
    if (base === "") throw new DockerfileError(location, `base name (${from.base}) should not be blank`);
    if (platform !== undefined && platform !== "") this.#platform = atPlace(location, () => parsePlatform(platform));
    const named = sources.named(base);
    const stage = named === undefined ? findStage(dockerfile, base, index) : undefined;
    if (stage !== undefined) return this.#continueStage(await this.#context.plan(stage));
    if (named === undefined && base === "scratch") {
      this.#variables = new StageVariables(global, []);
      return [];
    }
    if (named !== undefined && named.kind !== "image") {
      // A directory or archive as a root file system.
      const vertex = this.#vertex(`FROM ${base}`);
      this.#node = this.#copyNode(scratchNode(), vertex, location, base, named.open);
      this.#variables = new StageVariables(global, []);
      return [];
    }
    const image = await atPlaceLater(location, () =>
      this.#context.image(named === undefined ? base : named.name, this.#platform),
    );
    this.#context.bases.set(index, { image, expected: this.#platform });
    const vertex = this.#vertex(`FROM ${image.shownName}`);
    this.#base = image;
    this.#node = imageNode(image, vertex);
    this.#platform = platform === undefined ? image.stored.platform : this.#platform;
    const { configuration, triggers } = readBase(image);
    this.#configuration = configuration;
    this.#variables = new StageVariables(global, configuration.Env ?? []);
    const parsed = parseTriggers(triggers, base);
    this.#total += parsed.filter(makesStep).length;
    return parsed;
  }

  #continueStage(stage: PlannedStage): readonly StageInstruction[] {
    const { OnBuild: triggers = [], ...configuration } = stage.configuration;
    this.#node = stage.node;
    this.#base = stage.base;
    this.#platform = stage.platform;
    this.#configuration = configuration;
    this.#author = stage.author;
    this.#history.push(...stage.history);
    this.#variables = stage.variables.copy();
    const parsed = parseTriggers(triggers, this.#stage.from.base);
    this.#total += parsed.filter(makesStep).length;
    return parsed;
  }

  async #take(written: StageInstruction): Promise<void> {
    const instruction = expandInstruction(written, this.#variables.scope);
    switch (instruction.name) {
      case "ARG":
        return this.#tell(instruction, { arguments: this.#variables.declare(instruction) }, false);
      case "RUN":
        return this.#run(instruction);
      case "COPY":
      case "ADD":
        return this.#copy(instruction);
      case "WORKDIR":
        return this.#enter(instruction);
      default:
        if (instruction.name === "MAINTAINER") this.#author = instruction.maintainer;
        this.#configuration = changeConfiguration(this.#configuration, instruction, this.#hasCommand);
        this.#hasCommand ||= instruction.name === "CMD";
        this.#variables.setEnvironment(this.#configuration.Env ?? []);
        this.#tell(instruction, {}, false);
    }
  }

  /** Adds an instruction to the history. */
  #tell(instruction: StageInstruction, details: Partial<HistoryDetails>, hasLayer: boolean): void {
    const whole = { parameters: this.#configuration, arguments: [], words: [], ...details };
    const text = createdBy(instruction, whole);
    if (text !== undefined) this.#history.push({ createdBy: text, hasLayer });
  }

  #run(instruction: InstructionNamed<"RUN">): void {
    const { options } = this.#context;
    const { location, command, network } = instruction;
    const configuration = this.#configuration;
    const workingDirectory = configuration.WorkingDir || "/";
    const mounts = runMounts(instruction, this.#variables.scope, workingDirectory);
    const vertex = this.#vertex(instruction.text);
    this.#checkRun(instruction);
    const argumentEntries = this.#variables.argumentEntries();
    const step: RunStep = {
      ...{ command, mounts, workingDirectory },
      shell: configuration.Shell ?? DEFAULT_SHELL,
      environment: [...argumentEntries, ...(configuration.Env ?? [])],
      proxies: this.#variables.proxyEntries(),
      user: configuration.User ?? "",
      sources: mounts.map((mount) => this.#mountSource(mount, location)),
      network: network === "default" ? options.network : network,
      isInsecure: instruction.security === "insecure",
      addedHosts: options.addedHosts,
      resourceLimits: options.resourceLimits,
      sharedMemorySize: options.sharedMemorySize,
      cgroupParent: options.cgroupParent,
      resources: options.resources,
    };
    const { session, sources } = this.#context;
    this.#node = new Step(session, {
      vertex,
      below: this.#node,
      definition: { ...runDefinition(step), platform: formatPlatform(this.#platform) },
      inputs: placedInputs(
        location,
        runInputs(step, (layers, path) => this.#contentKey(layers, path)),
      ),
      isIndependent: false,
      ignoresCache: this.#ignoresCache(),
      execute: (work) => atPlaceLater(location, () => executeRunStep(session, step, sources.secrets, work)),
    });
    const { words } = wordsOf(command, step.shell);
    this.#tell(instruction, { words, arguments: this.#variables.declared() }, true);
  }

  #checkRun({ location, network, security }: InstructionNamed<"RUN">): void {
    const { allowed } = this.#context.options;
    const needed = [
      ...(network === "host" ? ["network.host"] : []),
      ...(security === "insecure" ? ["security.insecure"] : []),
    ].find((entitlement) => !allowed.includes(entitlement));
    if (needed !== undefined) {
      throw new DockerfileError(
        location,
        `granting entitlement ${needed} is not allowed by build daemon configuration; give --allow ${needed}`,
      );
    }
    if (!isNative(this.#platform) && !hasEmulator(this.#platform)) {
      throw new DockerfileError(
        location,
        `this machine cannot run programs for ${formatPlatform(this.#platform)}: no emulator for them is registered with binfmt_misc`,
      );
    }
  }

  /** What a mount is from. */
  #mountSource(mount: RunMount, location: SourceLocation): RootNode | undefined {
    if (mount.type !== "bind" && mount.type !== "cache") return undefined;
    if (mount.type === "cache" && mount.from === undefined) return undefined;
    if (mount.from !== undefined) return this.#nodeOf(mount.from, location);
    const { sources, session } = this.#context;
    const vertex = new Vertex(session.observer, `[${this.#prefix}context] ${mount.source}`);
    return this.#copyNode(scratchNode(), vertex, location, "context", sources.context, mount.source);
  }

  /** A root file system with files from outside. */
  #copyNode(
    below: RootNode,
    vertex: Vertex,
    location: SourceLocation,
    name: string,
    open: () => ReturnType<BuildSources["context"]>,
    path = "/",
  ): RootNode {
    const { session } = this.#context;
    const isRoot = path === "/" || path === "";
    const step: CopyStep = {
      sources: [{ from: { kind: "outside", open }, paths: [path], unpacks: false }],
      destination: isRoot ? "/" : path,
      chown: undefined,
      chmod: undefined,
      excluded: [],
      keepsParents: false,
    };
    const { inputs, stamps } = copyInputs(session, step);
    return new Step(session, {
      ...{ vertex, below, inputs, isIndependent: false, ignoresCache: false, isContext: true },
      definition: { ...copyDefinition(step), name },
      execute: (work) => atPlaceLater(location, () => executeCopy(session, step, stamps, false, work)),
    });
  }

  /** A stage above, a named context or an image, as `--from` names it. */
  #nodeOf(name: string, location: SourceLocation): RootNode {
    const { dockerfile, sources, session } = this.#context;
    const named = sources.named(name);
    const stage = named === undefined ? findStage(dockerfile, name, this.#stage.index) : undefined;
    if (stage !== undefined) return lateNode(() => this.#context.plan(stage).then(({ node }) => node));
    if (named === undefined) {
      if (/^\d+$/.test(name))
        throw new DockerfileError(location, `invalid stage index ${name}: there is no such stage above`);
      if (name.toLowerCase() === this.#stage.from.stageName) {
        throw new DockerfileError(location, `circular dependency detected on stage: ${name}`);
      }
      if (findStage(dockerfile, name, dockerfile.stages.length) !== undefined) {
        throw new DockerfileError(
          location,
          `stage ${JSON.stringify(name)} needs to be defined before the current stage`,
        );
      }
    }
    if (named !== undefined && named.kind !== "image") {
      const vertex = new Vertex(session.observer, `[context ${name}] load from ${name}`);
      return this.#copyNode(scratchNode(), vertex, location, name, named.open);
    }
    const image = named === undefined ? name : named.name;
    const vertex = new Vertex(session.observer, `FROM ${image}`);
    return lateNode(() =>
      atPlaceLater(location, () => this.#context.image(image, this.#context.platform)).then((base) =>
        imageNode(base, vertex),
      ),
    );
  }

  #copy(instruction: InstructionNamed<"COPY"> | InstructionNamed<"ADD">): void {
    const { session, sources } = this.#context;
    const { location, heredocs, chown, chmod, exclude, link, name } = instruction;
    const vertex = this.#vertex(instruction.text);
    const copied: CopySource[] = [];
    const from = name === "COPY" ? instruction.from : undefined;
    const unpacks = name === "ADD" && instruction.unpack !== false;
    if (instruction.sources.length > 0) {
      const named = from === undefined ? undefined : sources.named(from);
      if (from === undefined) copied.push(...this.#outsideSources(instruction, unpacks));
      else if (named !== undefined && named.kind !== "image") {
        copied.push({ from: { kind: "outside", open: named.open }, paths: instruction.sources, unpacks });
      } else
        copied.push({
          from: { kind: "root", node: this.#nodeOf(from, location) },
          paths: instruction.sources,
          unpacks,
        });
    }
    if (heredocs.length > 0) {
      const files = heredocs.map((heredoc) => ({ name: heredoc.name, content: heredoc.content }));
      copied.push({
        from: { kind: "outside", open: async () => ({ kind: "texts", files }) },
        paths: [],
        unpacks: false,
      });
    }
    const step: CopyStep = {
      sources: copied,
      destination: destinationOf(this.#configuration.WorkingDir || "/", instruction.destination),
      chown,
      chmod,
      excluded: exclude,
      keepsParents: name === "COPY" && instruction.parents,
    };
    const { inputs: unplaced, stamps } = copyInputs(session, step);
    const inputs = placedInputs(location, unplaced);
    this.#node = new Step(session, {
      ...{ vertex, below: this.#node, inputs, isIndependent: link, ignoresCache: this.#ignoresCache() },
      definition: copyDefinition(step),
      execute: (work) => atPlaceLater(location, () => executeCopy(session, step, stamps, link, work)),
    });
    this.#tell(instruction, {}, true);
  }

  /** Files of the context, and for ADD also of URLs; in their order, as later ones may replace earlier ones. */
  #outsideSources(instruction: InstructionNamed<"COPY"> | InstructionNamed<"ADD">, unpacks: boolean): CopySource[] {
    const { sources } = this.#context;
    const found: CopySource[] = [];
    for (const text of instruction.sources) {
      const url = instruction.name === "ADD" ? this.#urlOf(instruction, text) : undefined;
      const last = found.at(-1);
      if (url !== undefined) {
        // Asked for once, whoever needs it.
        let opened: Promise<FileSource> | undefined;
        const open = () => {
          opened ??= sources.url(url);
          return opened;
        };
        const isUnpacked = instruction.name === "ADD" && instruction.unpack === true;
        const identity = urlIdentity(url);
        found.push({ from: { kind: "outside", open, identity }, paths: urlPaths(url), unpacks: isUnpacked });
      } else if (last?.from.kind === "outside" && last.from.open === sources.context) {
        found[found.length - 1] = { ...last, paths: [...last.paths, text] };
      } else {
        found.push({ from: { kind: "outside", open: sources.context }, paths: [text], unpacks });
      }
    }
    return found;
  }

  #urlOf({ location, checksum, keepGitDirectory }: InstructionNamed<"ADD">, text: string): UrlSource | undefined {
    return atPlace(location, () => parseUrlSource(text, { checksum, keepsGitDirectory: keepGitDirectory }));
  }

  #enter(instruction: InstructionNamed<"WORKDIR">): void {
    const { session } = this.#context;
    this.#configuration = changeConfiguration(this.#configuration, instruction, this.#hasCommand);
    const { WorkingDir: path = "/", User: user = "" } = this.#configuration;
    const vertex = this.#vertex(`WORKDIR ${instruction.path}`);
    const hasLayer = path !== "/";
    this.#tell(instruction, {}, hasLayer);
    if (!hasLayer) {
      vertex.cached();
      return;
    }
    const { location } = instruction;
    this.#node = new Step(session, {
      ...{ vertex, below: this.#node, inputs: [], isIndependent: false, ignoresCache: this.#ignoresCache() },
      definition: { kind: "make-directory", path, user },
      execute: (work: StepWork) => atPlaceLater(location, () => executeMakeDirectory(session, path, user, work)),
    });
  }

  #ignoresCache(): boolean {
    const { noCache, noCacheStages } = this.#context.options;
    const { stageName } = this.#stage.from;
    return noCache || noCacheStages.some((name) => name === stageName || name === String(this.#stage.index));
  }

  #vertex(text: string): Vertex {
    return new Vertex(this.#context.session.observer, `[${this.#prefix}${this.#count++}/${this.#total}] ${text}`);
  }

  async #contentKey(layers: readonly string[], path: string): Promise<string> {
    const { session } = this.#context;
    const staging = session.cache.makeStaging();
    try {
      const selection = {
        source: { kind: "layers", layers },
        paths: [path],
        excluded: [],
        keepsParents: false,
      } as const;
      return (await keyOfFiles(selection, fileWork(session, staging), session.signal)).digest;
    } finally {
      removeTree(staging);
    }
  }
}

/** A node that is only known once something else is. */
function lateNode(open: () => Promise<RootNode>): RootNode {
  let node: RootNode | undefined;
  let opening: Promise<RootNode> | undefined;
  const opened = () => {
    opening ??= open().then((found) => {
      node = found;
      return found;
    });
    return opening;
  };
  return {
    keys: async () => (await opened()).keys(),
    make: async () => (await opened()).make(),
    // It is asked for when its keys are there.
    base: () => node?.base(),
    chain: () => node?.chain() ?? [],
    showCached: () => node?.showCached(),
  };
}

/** Says where in the Dockerfile something has failed. */
async function atPlaceLater<Result>(location: SourceLocation, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw withExcerpt(location, cause);
  }
}

function atPlace<Result>(location: SourceLocation, work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    throw withExcerpt(location, cause);
  }
}

/** Inputs whose files, where they are missing, are shown with the instruction that wants them. */
function placedInputs(location: SourceLocation, inputs: readonly StepInput[]): readonly StepInput[] {
  return inputs.map((input) =>
    input.kind === "root"
      ? {
          ...input,
          contentKey: (directories) => atPlaceLater(location, async () => input.contentKey(directories)),
        }
      : { ...input, contentKey: () => atPlaceLater(location, () => input.contentKey()) },
  );
}

function withExcerpt(location: SourceLocation, cause: unknown): unknown {
  if (!(cause instanceof BunkerError) || cause.excerpt !== undefined || cause.code === "interrupted") return cause;
  const { code, message, hint } = cause;
  return new BunkerError({ code, operation: message, hint, excerpt: quoteLines(location), exitStatus: 1 }, { cause });
}
