import { openSync } from "node:fs";
import * as v from "valibot";
import { digestOf, digestSchema } from "../../image/digest.ts";
import { openStateDatabase, type StateDatabase } from "../../state/state-database.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { type ContentKey, contentKeyOf, type StampedKey, textsKey } from "./content-key.ts";
import { FileDigests, fileDigestTables } from "./file-digests.ts";
import type { FileSelection, FileSource } from "./file-source.ts";

/** What does not come out of a build itself. */
type OutsideSource = Exclude<FileSource, { readonly kind: "layers" }>;

/** Keys that one process has computed, for another one: each beside what it is the key of. */
export const foundKeysSchema = v.array(v.tuple([v.string(), v.object({ digest: digestSchema, stamp: v.string() })]));

export type FoundKeys = v.InferOutput<typeof foundKeysSchema>;

/**
 * The keys of what one build takes from outside. Those of directories of the caller are computed once, and digests of their
 * files are remembered from build to build.
 */
export class ContextKeys implements Disposable {
  readonly #data: string;
  readonly #keys: Map<string, StampedKey>;
  readonly #beforeReading: () => void;
  #database: StateDatabase | undefined;

  /**
   * @param data Bunker's data directory
   * @param known what has been computed before
   * @param beforeReading called before the bytes of a file are read; what it throws ends the computation
   */
  constructor(data: string, known: FoundKeys = [], beforeReading: () => void = () => undefined) {
    this.#data = data;
    this.#keys = new Map(known);
    this.#beforeReading = beforeReading;
  }

  /** What has been computed so far. */
  get found(): FoundKeys {
    return [...this.#keys];
  }

  /**
   * Computes the key of what an instruction takes from a source.
   * @throws BunkerError `source_not_found` and as `contentKeyOf`, and the reason of `signal`
   */
  async keyOf(
    source: OutsideSource,
    { paths, excluded, keepsParents }: Omit<FileSelection, "source">,
    signal: AbortSignal,
  ): Promise<ContentKey> {
    if (source.kind === "texts") return textsKey(source.files);
    const { identity, path, ignored } = source;
    const selected = [ignored, paths, excluded, keepsParents];
    // Nobody else has the directory, so nobody changes it meanwhile either.
    if (identity !== undefined) return { digest: digestOf(JSON.stringify([identity, ...selected])), stamp: undefined };
    const name = JSON.stringify([path, ...selected]);
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    this.#database ??= openStateDatabase(this.#data, [fileDigestTables]);
    using root = openDirectory(path);
    using digests = new FileDigests(this.#database, this.#beforeReading);
    const tree = { root: root.number, ignored };
    const key = await contentKeyOf(tree, { paths, excluded, keepsParents }, "root", digests, signal);
    this.#keys.set(name, key);
    return key;
  }

  [Symbol.dispose](): void {
    this.#database?.[Symbol.dispose]();
  }
}

function openDirectory(path: string): FileDescriptor {
  try {
    return new FileDescriptor(openSync(path, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY));
  } catch (cause) {
    const errno = errnoOf(cause);
    throw new BunkerError(
      { code: "source_not_found", operation: "open", object: path, errno, exitStatus: 1 },
      { cause },
    );
  }
}
