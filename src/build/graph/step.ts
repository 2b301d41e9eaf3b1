/*
 * Theory of operation: the graph of a build.
 *
 * A node is a root file system: an image, nothing, or a step, which changes the root file system below it and may read
 * others (`COPY --from`, `RUN --mount`). Nothing is done until a node is asked for its result, so stages that the target
 * does not need are not built; and each node is asked only once, whoever wants it.
 *
 * What a step will come to is known before it is done, by its **key**: the digest of what it does, of the keys of the nodes
 * that it takes part of, and of the content of files that come from outside. A step whose key the cache knows is not done,
 * and what it lies on is not even asked for: of a build that changes nothing the keys are computed, and that is all.
 *
 * Where the key is new because what the step lies on, or a stage that it copies from, has come about in another way, its
 * result may still be known. So a step has a second key, with the layer that it lies on and the content of the files that
 * it copies instead of the nodes' keys; it can only be computed when those nodes are there.
 *
 * Steps that are asked at the same time are done at the same time: a step asks for all that it needs at once. When a step
 * fails, all others are stopped; those that have been done before are in the cache.
 *
 * A step that must not be taken from the cache (--no-cache) has a key that nothing else has, and so have all that depend on
 * it. What it comes to also takes the place of what its ordinary key came to.
 */
import { type Digest, digestOf } from "../../image/digest.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import type { BuiltLayer } from "../cache/build-cache.ts";
import { lockKey } from "../cache/key-lock.ts";
import { needRoot } from "../hand-over.ts";
import type { BaseImage } from "../layers/base-image.ts";
import type { Vertex } from "../progress.ts";
import type { WantedStep } from "../remote-cache/remote-caches.ts";
import type { Root } from "./root.ts";
import { type BuildSession, directoriesOf } from "./session.ts";

/** What a node is known by. */
export interface NodeKeys {
  /** By which the cache is asked. */
  readonly key: Digest;
  /** What that would be if nothing was kept from coming from the cache. */
  readonly ordinary: Digest;
}

/** A root file system that is there, or can be made. */
export interface RootNode {
  keys(): Promise<NodeKeys>;
  base(): BaseImage | undefined;
  make(): Promise<Root>;
  /** The steps that have made it, from the lowest; known when its keys are. */
  chain(): readonly Step[];
  /** Shows it, and what it needs, as found in the cache, where nothing was done about it. */
  showCached(): void;
}

/** What a step reads besides the root file system it changes. */
export type StepInput =
  | {
      /** Files of another root file system. */
      readonly kind: "root";
      readonly node: RootNode;
      /** The digest of those that the step takes. */
      readonly contentKey: (directories: readonly string[]) => Promise<string> | string;
    }
  | {
      /** Files from outside. */
      readonly kind: "outside";
      readonly contentKey: () => Promise<string>;
    };

/** What a step is given to do its work. */
export interface StepWork {
  /** A directory for it alone, in which it leaves `diff`. */
  readonly staging: string;
  /** The layers below, the uppermost first; at least one directory. */
  readonly lower: readonly string[];
  /** The layers of its inputs of the kind `root`, in their order. */
  readonly inputs: readonly (readonly string[])[];
  readonly vertex: Vertex;
}

/** What a step is. */
export interface StepSettings {
  readonly vertex: Vertex;
  readonly below: RootNode;
  /** What it does, as plain data: whatever its result depends on, but for its inputs. */
  readonly definition: unknown;
  readonly inputs: readonly StepInput[];
  /** Whether its layer does not depend on what is below: `--link`. */
  readonly isIndependent: boolean;
  readonly ignoresCache: boolean;
  /** Whether it only brings files from outside, which are no use to somebody who has others. */
  readonly isContext?: boolean;
  readonly execute: (work: StepWork) => Promise<void>;
}

/** The digest of plain data. */
function keyOf(data: unknown): Digest {
  return digestOf(Buffer.from(JSON.stringify(data)));
}

/** A step of a stage. */
export class Step implements RootNode {
  readonly #session: BuildSession;
  readonly #settings: StepSettings;
  #keys: Promise<NodeKeys> | undefined;
  #root: Promise<Root> | undefined;

  constructor(session: BuildSession, settings: StepSettings) {
    this.#session = session;
    this.#settings = settings;
  }

  base(): BaseImage | undefined {
    return this.#settings.below.base();
  }

  chain(): readonly Step[] {
    return [...this.#settings.below.chain(), this];
  }

  /** The root file systems that it reads besides. */
  reads(): readonly RootNode[] {
    return this.#settings.inputs.flatMap((input) => (input.kind === "root" ? [input.node] : []));
  }

  get isContext(): boolean {
    return this.#settings.isContext ?? false;
  }

  /** What it would be known by, wherever it is done, if nothing was kept from coming from the cache. */
  async wanted(): Promise<WantedStep> {
    const { below, vertex, isIndependent } = this.#settings;
    const { ordinary: key } = await this.keys();
    return isIndependent
      ? { key, descriptions: [vertex.name], base: "any" }
      : { key, descriptions: this.chain().map(({ name }) => name), base: below.base() };
  }

  get name(): string {
    return this.#settings.vertex.name;
  }

  keys(): Promise<NodeKeys> {
    this.#keys ??= this.#computeKeys();
    return this.#keys;
  }

  make(): Promise<Root> {
    this.#root ??= this.#make().catch((cause) => {
      this.#session.fail(cause);
      throw cause;
    });
    return this.#root;
  }

  showCached(): void {
    const { below, inputs, vertex } = this.#settings;
    below.showCached();
    for (const input of inputs) if (input.kind === "root") input.node.showCached();
    vertex.cached();
  }

  async #computeKeys(): Promise<NodeKeys> {
    const { below, definition, inputs, isIndependent, ignoresCache } = this.#settings;
    const [lower, ...read] = await Promise.all([
      isIndependent ? undefined : below.keys(),
      ...inputs.map(async (input) => {
        if (input.kind === "root") return input.node.keys();
        const key = await input.contentKey();
        return { key, ordinary: key };
      }),
    ]);
    const ordinary = keyOf({ definition, below: lower?.ordinary, inputs: read.map((keys) => keys.ordinary) });
    if (ignoresCache) return { key: keyOf({ ordinary, only: crypto.randomUUID() }), ordinary };
    return { key: keyOf({ definition, below: lower?.key, inputs: read.map(({ key }) => key) }), ordinary };
  }

  async #make(): Promise<Root> {
    const { key } = await this.keys();
    const { steps } = this.#session;
    const same = steps.get(key);
    if (same !== undefined) {
      const root = await same;
      this.showCached();
      return root;
    }
    const made = this.#findOrExecute();
    steps.set(key, made);
    return made;
  }

  async #findOrExecute(): Promise<Root> {
    const { below, inputs } = this.#settings;
    const { cache } = this.#session;
    const { key } = await this.keys();
    const here = await this.#find(key);
    if (here !== undefined) return here;
    needRoot(this.#session);
    const elsewhere = await this.#takeOver(key);
    if (elsewhere !== undefined) return elsewhere;
    const [lower, ...read] = await Promise.all([
      below.make(),
      ...inputs.map((input) => (input.kind === "root" ? input.node.make() : undefined)),
    ]);
    const directories = await Promise.all(
      read.flatMap((root) => (root === undefined ? [] : [directoriesOf(root, this.#session)])),
    );
    const keys = [key, (await this.keys()).ordinary];
    const contentKey = await this.#contentKey(lower, directories);
    const byContent = await this.#find(contentKey);
    if (byContent !== undefined) {
      const uppermost = byContent.layers.at(-1);
      if (uppermost !== undefined) for (const each of keys) cache.addKey(each, uppermost);
      return byContent;
    }
    keys.push(contentKey);
    return this.#execute(lower, directories, [...new Set(keys)]);
  }

  /** The key by what is there: the layer below, and the content of what is read. */
  async #contentKey({ base, layers }: Root, directories: readonly (readonly string[])[]): Promise<Digest> {
    const { definition, inputs, isIndependent, ignoresCache } = this.#settings;
    const rest = directories.values();
    const contents: string[] = [];
    for (const input of inputs) {
      contents.push(await (input.kind === "root" ? input.contentKey(rest.next().value ?? []) : input.contentKey()));
    }
    const on = isIndependent ? undefined : (layers.at(-1)?.id ?? base?.key ?? "scratch");
    return keyOf({ definition, on, contents, ...(ignoresCache ? { only: crypto.randomUUID() } : {}) });
  }

  async #find(key: Digest): Promise<Root | undefined> {
    return this.#rootOf(this.#session.cache.find(key));
  }

  /** Takes the result over from a cache elsewhere. */
  async #takeOver(key: Digest): Promise<Root | undefined> {
    const { remote } = this.#session;
    if (remote === undefined) return undefined;
    const wanted = await this.wanted();
    if (wanted.key !== key) return undefined;
    return this.#rootOf(await remote.take(this.#session, wanted));
  }

  async #rootOf(layers: readonly BuiltLayer[] | undefined): Promise<Root | undefined> {
    const { below, isIndependent } = this.#settings;
    if (layers === undefined) return undefined;
    this.showCached();
    if (!isIndependent) return { base: below.base(), layers };
    const lower = await below.make();
    return { ...lower, layers: [...lower.layers, ...layers.slice(-1)] };
  }

  async #execute(lower: Root, inputs: readonly (readonly string[])[], keys: readonly Digest[]): Promise<Root> {
    const { vertex, execute, isIndependent } = this.#settings;
    const { cache, signal } = this.#session;
    const [key] = keys;
    if (key === undefined) throw new Error("a step without a key");
    using _lock = await lockKey(cache.directory, key, signal, () => {
      vertex.begin();
      vertex.status("wait", "waiting for another build that does the same", false);
    });
    // Another build may have done it meanwhile.
    const found = await this.#find(key);
    if (found !== undefined) return found;
    const directories = await directoriesOf(lower, this.#session);
    signal.throwIfAborted();
    const layer = await vertex.during(signal, async () => {
      const staging = cache.makeStaging();
      try {
        await execute({ staging, lower: directories, inputs, vertex });
        signal.throwIfAborted();
        const below: readonly BuiltLayer[] = isIndependent ? [] : lower.layers;
        return cache.add({ staging, lower: below, description: vertex.name, keys });
      } catch (error) {
        removeTree(staging);
        throw signal.aborted ? signal.reason : error;
      }
    });
    return { ...lower, layers: [...lower.layers, layer] };
  }
}

/** A root file system with nothing in it. */
export function scratchNode(): RootNode {
  const key = keyOf("scratch");
  return {
    keys: async () => ({ key, ordinary: key }),
    base: () => undefined,
    make: async () => ({ base: undefined, layers: [] }),
    chain: () => [],
    showCached: () => undefined,
  };
}

/** The root file system of an image. */
export function imageNode(base: BaseImage, vertex: Vertex): RootNode {
  return {
    keys: async () => ({ key: base.key, ordinary: base.key }),
    base: () => base,
    make: async () => {
      vertex.cached();
      return { base, layers: [] };
    },
    chain: () => [],
    showCached: () => vertex.cached(),
  };
}
