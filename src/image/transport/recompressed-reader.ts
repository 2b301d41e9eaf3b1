/*
 * Images whose layers are packed in another way than at their source, or not at all: `push --compression-format`. Layers that
 * are packed so already stay as they are, unless they are to be packed anew in any case; each other one is unpacked and
 * packed anew into a directory for what is on its way, when the manifest is asked for. What is no layer of files, such
 * as an attestation, stays as it is in any case. The configuration is the same, since it names layers by their unpacked
 * bytes. The manifest of an image whose layers changed is another one, and so is the index that names it; all others
 * keep their bytes, and where no layer changes, Docker's manifests are Docker's still.
 */
import { rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { writeError } from "../../sys/write-error.ts";
import { streamBlob } from "../blob-stream.ts";
import type { Digest } from "../digest.ts";
import { invalidDocument } from "../documents.ts";
import type { Compression } from "../layers/decompress.ts";
import { packLayer } from "../layers/pack-layer.ts";
import { lockStore } from "../layers/store-lock.ts";
import { decompressed } from "./archive-input.ts";
import { type EditableDescriptor, parseEditableManifest } from "./editable-manifest.ts";
import { manifestOf } from "./manifest.ts";
import { convertManifests, ociMediaType } from "./manifest-conversion.ts";
import { type ImageChoice, readChosenManifests, readRoot } from "./read-manifests.ts";
import type { ImageReader, Manifest } from "./transport.ts";
import { verifyBlob } from "./verified-blob.ts";

/** Of OCI's kind. */
const LAYER_OF_FILES = /^application\/vnd\.oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+\w+)?$/;

/** Whether a layer is not packed, by its media type, OCI's or Docker's. */
export function isPlainLayer({ mediaType }: Pick<EditableDescriptor, "mediaType">): boolean {
  return mediaType.endsWith(".tar");
}

/**
 * Annotations that say where in a layer's packed bytes something is, for programs that read parts of it (zstd:chunked,
 * eStargz): of other bytes they are wrong.
 */
const ABOUT_PACKED_BYTES =
  /^(?:io\.(?:github\.)?containers\.(?:zstd-chunked|estargz)\.|containerd\.io\/snapshot\/stargz\/)/;

/** How layers are to be packed. */
export interface Packing {
  readonly compression: Compression;
  /** From 1; the usual one unless given. */
  readonly level: number | undefined;
  /** Which layers are packed anew: those that are not packed, those that are packed otherwise or not, or all. */
  readonly layers: "plain" | "others" | "all";
}

/**
 * Wraps a reader.
 * @param reader stays the caller's
 * @param store the data directory, where there is room for the packed layers
 * @param images which of an index are wanted: all, or one, which is all that this reader has
 * @throws BunkerError, when its manifest is read, `image_invalid`, `digest_mismatch`, `no_space`
 */
export function openRecompressedReader(
  reader: ImageReader,
  { compression, level, layers: which }: Packing,
  store: string,
  signal: AbortSignal,
  images: ImageChoice = "all",
): ImageReader {
  const lock = lockStore(store);
  const packed = new Map<string, { readonly path: string; readonly size: number }>();
  // Images for several platforms often have layers in common.
  const repacked = new Map<Digest, Pick<EditableDescriptor, "mediaType" | "digest" | "size">>();
  let manifests: Promise<readonly Manifest[]> | undefined;

  const isToBePacked = (layer: EditableDescriptor): boolean => {
    const mediaType = ociMediaType(layer.mediaType);
    if (!LAYER_OF_FILES.test(mediaType)) return false;
    if (which === "plain") return isPlainLayer({ mediaType });
    if (compression === "none") return !isPlainLayer({ mediaType });
    return which === "all" || !mediaType.endsWith(`+${compression}`);
  };

  const repack = async (layer: EditableDescriptor): Promise<EditableDescriptor> => {
    if (!isToBePacked(layer)) return layer;
    const known = repacked.get(layer.digest) ?? (await packAnew(layer));
    repacked.set(layer.digest, known);
    const { annotations, urls: _, ...others } = layer;
    const kept = Object.entries(annotations ?? {}).filter(([name]) => !ABOUT_PACKED_BYTES.test(name));
    return { ...others, ...known, ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }) };
  };

  const packAnew = async (layer: EditableDescriptor) => {
    const source = { ...layer, annotations: {} };
    const verified = verifyBlob(source, reader.readBlob(source, { signal }), () => {});
    const path = `${lock.stagingPath}/${crypto.randomUUID()}`;
    await using file = await open(path, "wx", 0o600);
    packed.set(path, { path, size: 0 });
    const write = async (bytes: Buffer) => {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
    };
    try {
      const pieces = decompressed({ name: `layer ${layer.digest}`, stream: verified });
      const { digest, mediaType, size } = await packLayer(pieces, compression, write, level);
      packed.delete(path);
      packed.set(digest, { path, size });
      return { mediaType, digest, size };
    } catch (cause) {
      throw writeError(
        cause,
        compression === "none" ? "decompress" : `pack with ${compression}`,
        `layer ${layer.digest} of ${reader.name}`,
      );
    }
  };

  const makeManifests = async (): Promise<readonly Manifest[]> => {
    const found = await readChosenManifests(reader, await readRoot(reader), images);
    if (!found.some((manifest) => parseEditableManifest(manifest, reader.name).layers?.some(isToBePacked)))
      return found;
    // Docker's manifests know no zstd.
    const originals = convertManifests(found, "oci", reader.name);
    const written = new Map<string, Manifest>();
    for (const original of originals) {
      const document = parseEditableManifest(original, reader.name);
      const { layers, manifests: members } = document;
      if (layers?.some(isToBePacked) === true) {
        document.layers = [];
        for (const layer of layers) document.layers.push(await repack(layer));
      } else if (members?.some(({ digest }) => written.get(digest)?.digest !== digest) === true) {
        document.manifests = members.map((member) => {
          const manifest = written.get(member.digest);
          return manifest === undefined ? member : { ...member, digest: manifest.digest, size: manifest.bytes.length };
        });
      } else {
        written.set(original.digest, original);
        continue;
      }
      const bytes = Buffer.from(JSON.stringify(document));
      written.set(original.digest, manifestOf({ mediaType: original.mediaType }, bytes, reader.name));
    }
    return [...written.values()];
  };

  return {
    name: reader.name,
    readManifest: async (descriptor) => {
      manifests ??= makeManifests();
      const all = await manifests;
      const found = descriptor === undefined ? all.at(-1) : all.find(({ digest }) => digest === descriptor.digest);
      if (found === undefined) throw invalidDocument(reader.name, `it has no manifest ${descriptor?.digest}`);
      return found;
    },
    async *readBlob(descriptor, options) {
      const own = packed.get(descriptor.digest);
      if (own === undefined) yield* reader.readBlob(descriptor, options);
      else yield* streamBlob({ path: own.path, offset: 0, size: own.size }, options.signal, options.offset);
    },
    [Symbol.asyncDispose]: async () => {
      for (const { path } of packed.values()) rmSync(path, { force: true });
      lock[Symbol.dispose]();
    },
  };
}
