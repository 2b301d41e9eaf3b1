/*
 * What an image looks like, without unpacking it: the entries of its layers' archives, put on top of each other by the
 * rules of the OCI image specification (layer.md, "Applying Changesets"). Data is hashed as it passes and not kept.
 */
import type { ByteString } from "../../sys/byte-string.ts";
import { DigestHasher } from "../digest.ts";
import type { Layer } from "../image.ts";
import type { TarEntry } from "../tar/tar-entry.ts";
import { TarReader, type TarReceiver } from "../tar/tar-reader.ts";
import { normalisePath, splitPath } from "./entry-path.ts";
import { openPackedLayer, streamLayer } from "./layer-stream.ts";
import { OPAQUE_WHITEOUT, WHITEOUT_PREFIX } from "./whiteout.ts";

/** A file as an archive has it. */
export interface FileEntry {
  readonly entry: TarEntry;
  /** Digest of a regular file's data; empty for everything else. */
  readonly content: string;
}

/** Files by their paths, relative to the root. */
export type FileTree = ReadonlyMap<ByteString, FileEntry>;

/**
 * Puts a layer on top of a tree.
 * @param layer its archive is read whole and verified
 * @returns the tree with the layer; the given one stays as it is
 * @throws BunkerError as `streamLayer`, `archive_invalid`, `layer_refused`
 */
export async function addLayerEntries(below: FileTree, layer: Layer, signal: AbortSignal): Promise<FileTree> {
  const collector = new EntryCollector();
  const reader = new TarReader(collector);
  await using packed = await openPackedLayer(layer.blob, layer.digest);
  await streamLayer(packed, layer.diffId, (bytes) => reader.feed(bytes), signal);
  packed.verify();
  reader.finish();
  return collector.onTopOf(below);
}

/** Gathers what an archive says. */
class EntryCollector implements TarReceiver {
  readonly #files = new Map<ByteString, FileEntry>();
  /** Names that the layer takes away, with everything below them. */
  readonly #removed = new Set<ByteString>();
  /** Directories of which only the layer's own content is to be seen. */
  readonly #opaque = new Set<ByteString>();
  #path = "" as ByteString;
  #entry: TarEntry | undefined;
  #hasher: DigestHasher | undefined;

  entry(entry: TarEntry): void {
    const path = normalisePath(entry.name);
    const [directory, base] = splitPath(path);
    this.#entry = undefined;
    if (base === OPAQUE_WHITEOUT) this.#opaque.add(directory);
    else if (base.startsWith(WHITEOUT_PREFIX)) {
      const name = base.slice(WHITEOUT_PREFIX.length);
      this.#removed.add((directory === "" ? name : `${directory}/${name}`) as ByteString);
    } else if (path !== "") {
      this.#path = path;
      this.#entry = entry;
      this.#hasher = entry.type === "file" ? new DigestHasher("sha256") : undefined;
    }
  }

  data(chunk: Buffer, start: number, end: number): void {
    this.#hasher?.update(chunk.subarray(start, end));
  }

  end(): void {
    if (this.#entry === undefined) return;
    const target = this.#entry.type === "hard-link" ? this.#files.get(normalisePath(this.#entry.linkName)) : undefined;
    const file = target ?? { entry: this.#entry, content: this.#hasher?.finish() ?? "" };
    // What is no directory hides what was below it.
    if (file.entry.type !== "directory") this.#removed.add(this.#path);
    this.#files.set(this.#path, file);
  }

  onTopOf(below: FileTree): FileTree {
    const isHidden = (path: ByteString): boolean => {
      if (this.#removed.has(path)) return true;
      for (let slash = path.lastIndexOf("/"); slash >= 0; slash = path.lastIndexOf("/", slash - 1)) {
        const directory = path.slice(0, slash) as ByteString;
        if (this.#removed.has(directory) || this.#opaque.has(directory)) return true;
      }
      return this.#opaque.has("" as ByteString);
    };
    const tree = new Map([...below].filter(([path]) => !isHidden(path)));
    for (const [path, file] of this.#files) tree.set(path, this.#resolve(file, below));
    return tree;
  }

  /** A hard link to a file of a layer below is that file. */
  #resolve(file: FileEntry, below: FileTree): FileEntry {
    if (file.entry.type !== "hard-link") return file;
    return below.get(normalisePath(file.entry.linkName)) ?? file;
  }
}
