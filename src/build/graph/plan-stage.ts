/*
 * From a stage of the Dockerfile to nodes of the graph and an image's configuration. Instructions are taken in their order:
 * those about files become steps, the others change the configuration that the next ones see. Planning does nothing but to
 * look up images, since what they say is needed for that.
 */

import type { ConfigurationParameters } from "../../image/configuration-parameters.ts";
import { formatPlatform, type Platform, parsePlatform } from "../../image/platform.ts";
import type { BuildOptions } from "../build-options.ts";
import { parseUrlSource, type UrlSource, urlIdentity, urlPaths } from "../context/open-url.ts";
import {
  changeConfiguration,
  DEFAULT_SHELL,
  withSearchPath,
  withVariables,
} from "../dockerfile/change-configuration.ts";
import { createdBy, type HistoryDetails } from "../dockerfile/created-by.ts";
import { DockerfileError } from "../dockerfile/dockerfile-error.ts";
import { expandInstruction } from "../dockerfile/expand-instruction.ts";
import type { Dockerfile, InstructionNamed, Stage, StageInstruction } from "../dockerfile/instruction.ts";
import { findStage, parseTriggers } from "../dockerfile/parse-dockerfile.ts";
import { runMounts } from "../dockerfile/run-mount.ts";
import type { FileSource } from "../files/file-source.ts";
import type { BaseImage } from "../layers/base-image.ts";
import { readBase } from "../layers/image-configuration.ts";
import type { FoundBase } from "../lint/check-build.ts";
import { Vertex } from "../progress.ts";
import { emulatorName, hasEmulator } from "../run/emulator.ts";
import type { BuildSources, ImageSource } from "../sources.ts";
import { atPlace, atPlaceLater, placedInputs } from "./at-place.ts";
import { type CopySource, type CopyStep, copyDefinition, copyInputs, destinationOf, layersKey } from "./copy-step.ts";
import { rootNamed, rootOfFiles, rootOfMount } from "./other-root.ts";
import { isNative } from "./resolve-image.ts";
import { type RunStep, runDefinition, runInputs, wordsOf } from "./run-step.ts";
import type { BuildSession } from "./session.ts";
import { fromScope, type GlobalArguments, StageVariables } from "./stage-variables.ts";
import { imageNode, type RootNode, Step, type StepWork, scratchNode } from "./step.ts";

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

/** A kind of instruction that makes a step. */
function makesStep({ name }: StageInstruction): boolean {
  return name === "RUN" || name === "COPY" || name === "ADD" || name === "WORKDIR";
}

/** What all stages of a Dockerfile are planned with. */
export interface PlanContext {
  readonly session: BuildSession;
  readonly dockerfile: Dockerfile;
  readonly sources: BuildSources;
  readonly options: BuildOptions;
  readonly global: GlobalArguments;
  readonly platform: Platform;
  readonly bases: Map<number, FoundBase>;
  plan(stage: Stage): Promise<PlannedStage>;
  image(source: ImageSource, platform: Platform): Promise<BaseImage>;
}

/**
 * Plans a stage.
 * @throws BunkerError, also DockerfileError
 */
export function planStage(context: PlanContext, stage: Stage): Promise<PlannedStage> {
  return new StagePlan(context, stage).plan();
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
  /** Whether it is from another stage. */
  #isContinued = false;
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
    if (!this.#isContinued) this.#takeOptions();
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

  /** Does what the command line says of every stage's beginning: `--env`, `--unsetlabel`. */
  #takeOptions(): void {
    const { environment, unsetLabels } = this.#context.options;
    const values = environment.map((entry) => {
      const equals = entry.indexOf("=");
      return { name: entry.slice(0, equals), value: entry.slice(equals + 1), isLegacy: false };
    });
    const configuration = values.length === 0 ? this.#configuration : withVariables(this.#configuration, values);
    const { Labels: labels, ...rest } = configuration;
    const kept = Object.entries(labels ?? {}).filter(([key]) => unsetLabels !== "all" && !unsetLabels.includes(key));
    this.#configuration = kept.length > 0 ? { ...rest, Labels: Object.fromEntries(kept) } : rest;
  }

  /** Does FROM; returns the triggers of the image. */
  async #begin(): Promise<readonly StageInstruction[]> {
    const { global, dockerfile, sources, session } = this.#context;
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
    if (named?.kind === "files") {
      // A directory or archive as a root file system.
      const vertex = this.#vertex(`FROM ${base}`);
      this.#node = rootOfFiles(session, { vertex, location, name: base, open: named.open });
      this.#variables = new StageVariables(global, []);
      return [];
    }
    const image = await atPlaceLater(location, () =>
      this.#context.image(named ?? { kind: "image", name: base }, this.#platform),
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
    this.#isContinued = true;
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
      ...options.containers,
      hostname: this.#context.session.arguments.hostname,
      ...{ command, mounts, workingDirectory },
      shell: configuration.Shell ?? DEFAULT_SHELL,
      environment: [...argumentEntries, ...(configuration.Env ?? [])],
      proxies: this.#variables.proxyEntries(),
      user: configuration.User ?? "",
      sources: mounts.map((mount) => rootOfMount(this.#context, this.#stage, mount, location, this.#prefix)),
      network: network === "default" ? options.network : network,
      isInsecure: instruction.security === "insecure",
    };
    const { session, sources } = this.#context;
    this.#node = new Step(session, {
      vertex,
      below: this.#node,
      definition: { ...runDefinition(step), platform: formatPlatform(this.#platform) },
      inputs: placedInputs(
        location,
        runInputs(step, (layers, path) =>
          layersKey(session, layers, { paths: [path], excluded: [], keepsParents: false }),
        ),
      ),
      isIndependent: false,
      ignoresCache: this.#ignoresCache(),
      execute: (work) =>
        atPlaceLater(location, async () => {
          const { executeRunStep } = await import("./execute-run-step.ts");
          await executeRunStep(session, step, sources.secrets, work);
        }),
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
        `this machine cannot run programs for ${formatPlatform(this.#platform)}: no emulator for them is registered with binfmt_misc; have qemu-user-static installed (Fedora's is qemu-user-static-${emulatorName(this.#platform)})`,
      );
    }
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
      else if (named?.kind === "files") {
        copied.push({ from: { kind: "outside", open: named.open }, paths: instruction.sources, unpacks });
      } else
        copied.push({
          from: { kind: "root", node: rootNamed(this.#context, this.#stage, from, location) },
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
      execute: (work) =>
        atPlaceLater(location, async () => {
          const { executeCopy } = await import("./execute-copy-step.ts");
          await executeCopy(session, step, stamps, link, work);
        }),
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
      execute: (work: StepWork) =>
        atPlaceLater(location, async () => {
          const { executeMakeDirectory } = await import("./execute-copy-step.ts");
          await executeMakeDirectory(session, path, user, work);
        }),
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
}
