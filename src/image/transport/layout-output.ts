/*
 * Writing images in the OCI image layout, to a directory or an archive, and as `docker save` does since Docker 25: the
 * same layout with a manifest.json that older programs read, which names configuration and layers where they lie among
 * the blobs. So an archive of Docker's keeps manifests and compressed layers as they are, and digests survive. (The file
 * `repositories`, which Docker writes for versions before 1.10, is left out.)
 *
 * Several images share one output: each has a writer of its own, and the output is committed when all are.
 */

import * as v from "valibot";
import type { Digest } from "../digest.ts";
import { type Descriptor, parseDocument } from "../documents.ts";
import { blobPath } from "../layout-files.ts";
import { chooseManifest, TAG_ANNOTATION } from "../manifest-choice.ts";
import { INDEX_MEDIA_TYPE, isIndex } from "../media-types.ts";
import type { LayoutSink } from "./layout-sink.ts";
import type { ImageWriter, Manifest } from "./transport.ts";
import { verifyBlob } from "./verified-blob.ts";

/** containerd's annotation for the full name of an image; Docker reads and writes it. */
export const FULL_NAME_ANNOTATION = "io.containerd.image.name";

/** What an image is called in an output. */
export interface OutputNames {
  /** The annotations of its entries in index.json, one entry for each; one without any when there are none. */
  readonly annotations: readonly Readonly<Record<string, string>>[];
  /** `RepoTags` in manifest.json. */
  readonly repositoryTags: readonly string[];
}

/** Images that are being written to one place. */
export interface LayoutOutput extends AsyncDisposable {
  /**
   * Makes the writer of one more image. Its commit adds the image to those that the output shows once it is committed.
   * @param name of the image at its destination, for messages
   */
  writer(name: string, names: OutputNames): ImageWriter;
  /** Makes all images visible. */
  commit(): Promise<void>;
}

interface IndexEntry {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface DockerEntry {
  readonly Config: string;
  readonly RepoTags: readonly string[];
  readonly Layers: readonly string[];
}

/** An index as it is kept: what is not understood stays in it. */
const keptIndex = v.looseObject({
  manifests: v.nullish(
    v.array(v.looseObject({ digest: v.string(), annotations: v.nullish(v.record(v.string(), v.string())) })),
    [],
  ),
});

/**
 * Begins an output.
 * @param sink becomes the output's
 * @param form `docker` adds manifest.json
 */
export function openLayoutOutput(sink: LayoutSink, form: "oci" | "docker"): LayoutOutput {
  const entries: IndexEntry[] = [];
  const dockerEntries: DockerEntry[] = [];
  return {
    writer: (name, names) => {
      const written = new Map<Digest, Manifest>();
      let root: Manifest | undefined;
      return {
        name,
        requiresOci: form === "oci",
        ...(sink.concurrency === undefined ? {} : { concurrency: sink.concurrency }),
        checkRoom: (blobs) => {
          const missing = blobs.filter((blob) => !sink.has(blob));
          sink.checkRoom?.(
            missing.reduce((sum, { size }) => sum + size, 0),
            name,
          );
        },
        hasBlob: async (descriptor) => sink.has(descriptor),
        writeBlob: (descriptor, read, { onProgress }) =>
          sink.add(descriptor, verifyBlob(descriptor, read(0), onProgress)),
        writeManifest: async (manifest, isRoot) => {
          const blob = { digest: manifest.digest, size: manifest.bytes.length };
          if (!sink.has(blob))
            await sink.add(
              blob,
              verifyBlob(blob, only(manifest.bytes), () => {}),
            );
          written.set(manifest.digest, manifest);
          if (isRoot) root = manifest;
        },
        commit: async () => {
          if (root === undefined) throw new Error("an image without a manifest");
          const { mediaType, digest, bytes } = root;
          const entry = { mediaType, digest, size: bytes.length };
          if (names.annotations.length === 0) entries.push(entry);
          for (const annotations of names.annotations) entries.push({ ...entry, annotations });
          if (form === "docker") dockerEntries.push(dockerEntry(root, written, names.repositoryTags, name));
        },
        [Symbol.asyncDispose]: async () => {},
      };
    },
    commit: () =>
      sink.commit((present) => [
        ["oci-layout", json({ imageLayoutVersion: "1.0.0" })],
        ...(form === "docker" ? [["manifest.json", json(mergeDockerEntries(dockerEntries))] as const] : []),
        ["index.json", mergedIndex(present, entries)],
      ]),
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  };
}

async function* only(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** What an entry of an index is known by. */
interface NamedEntry {
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>> | null | undefined;
}

/** Adds entries to an index; they take the place of those of the same name, or of the same image without a name. */
function mergedIndex(present: Buffer | undefined, entries: readonly IndexEntry[]): Buffer {
  const merged: NamedEntry[] = [];
  const add = (entry: NamedEntry) => {
    const first = merged.findIndex((other) => isReplaced(other, entry));
    const others = merged.splice(0).filter((other) => !isReplaced(other, entry));
    merged.push(...others);
    merged.splice(first < 0 ? merged.length : first, 0, entry);
  };
  if (present === undefined) {
    for (const entry of entries) add(entry);
    return json({ schemaVersion: 2, mediaType: INDEX_MEDIA_TYPE, manifests: merged });
  }
  parseDocument("index", present, "the layout's index.json");
  const kept = v.parse(keptIndex, JSON.parse(present.toString("utf8")));
  merged.push(...(kept.manifests ?? []));
  for (const entry of entries) add(entry);
  return json({ ...kept, manifests: merged });
}

/**
 * Whether one entry would be found by the name of another. Two with full names may have a tag in common; where one of them
 * has none (as skopeo and umoci write it), it is the tag that both are found by.
 */
function isReplaced(one: NamedEntry, other: NamedEntry): boolean {
  const [[name, tag], [otherName, otherTag]] = [namesOf(one), namesOf(other)];
  if (name !== undefined && otherName !== undefined) return name === otherName;
  if (tag !== undefined || otherTag !== undefined) return tag === otherTag;
  return name === otherName && one.digest === other.digest;
}

function namesOf({ annotations }: NamedEntry): readonly [name: string | undefined, tag: string | undefined] {
  return [annotations?.[FULL_NAME_ANNOTATION], annotations?.[TAG_ANNOTATION]];
}

/** An image of manifest.json; of an index that is the one for this machine, or the first where there is none. */
function dockerEntry(
  root: Manifest,
  written: ReadonlyMap<Digest, Manifest>,
  repositoryTags: readonly string[],
  name: string,
): DockerEntry {
  const manifest = isIndex(root.mediaType) ? imageOfIndex(root, written, name) : root;
  const { config, layers } = parseDocument("manifest", manifest.bytes, `manifest ${manifest.digest} of ${name}`);
  return {
    Config: blobPath(config.digest),
    RepoTags: repositoryTags,
    Layers: layers.map(({ digest }) => blobPath(digest)),
  };
}

function imageOfIndex(index: Manifest, written: ReadonlyMap<Digest, Manifest>, name: string): Manifest {
  const parse = (manifest: Manifest) => {
    const document = parseDocument("index", manifest.bytes, `index ${manifest.digest} of ${name}`);
    return { ...document, manifests: document.manifests.filter(({ digest }) => written.has(digest)) };
  };
  const find = ({ digest }: Pick<Descriptor, "digest">) => {
    const manifest = written.get(digest);
    if (manifest === undefined) throw new Error(`${digest} was not written`);
    return manifest;
  };
  const present = parse(index);
  try {
    return find(chooseManifest(present, undefined, undefined, (descriptor) => parse(find(descriptor)), name));
  } catch (error) {
    const [first] = present.manifests.filter(({ mediaType }) => !isIndex(mediaType));
    if (first === undefined) throw error;
    return find(first);
  }
}

/** One entry for each image, with all its names. */
function mergeDockerEntries(entries: readonly DockerEntry[]): DockerEntry[] {
  const byConfiguration = new Map<string, DockerEntry>();
  for (const entry of entries) {
    const known = byConfiguration.get(entry.Config);
    const RepoTags = [...new Set([...(known?.RepoTags ?? []), ...entry.RepoTags])];
    byConfiguration.set(entry.Config, { ...entry, RepoTags });
  }
  return [...byConfiguration.values()];
}
