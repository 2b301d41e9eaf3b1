/*
 * A tar archive of a root file system as an image of one layer; `docker import`. The archive is checked and packed while
 * it streams, into the directory for what is on its way, and the image is then brought into the store from there.
 */
import { rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { BunkerError } from "../../sys/error.ts";
import { writeError } from "../../sys/write-error.ts";
import type { ConfigurationChange, ConfigurationParameters } from "../configuration-parameters.ts";
import { normalisePath } from "../layers/entry-path.ts";
import { type NewLayer, packLayer } from "../layers/pack-layer.ts";
import { lockStore } from "../layers/store-lock.ts";
import { hostPlatform, type Platform } from "../platform.ts";
import { TarReader } from "../tar/tar-reader.ts";
import { type ArchiveOrigin, decompressed } from "../transport/archive-input.ts";
import { sourceDateEpoch } from "../transport/source-date-epoch.ts";
import type { ImageStore } from "./image-store.ts";
import { storeImage } from "./load-images.ts";
import { readerOfNewImage } from "./new-image.ts";

export interface ImportOptions {
  readonly platform: Platform | undefined;
  /** Made one after the other. */
  readonly changes: readonly ConfigurationChange[];
  /** What the history says of the image. */
  readonly message: string;
  /** The full name, with a tag, that it gets; undefined gives it none. */
  readonly name: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Makes an image of an archive.
 * @returns its id
 * @throws BunkerError `invalid_change`, `archive_invalid`, `no_space`, and as `pullImage`
 */
export async function importImage(store: ImageStore, origin: ArchiveOrigin, options: ImportOptions): Promise<string> {
  const parameters = options.changes.reduce<ConfigurationParameters>((changed, change) => change(changed), {});
  const platform = options.platform ?? hostPlatform();
  const name = typeof origin === "string" ? origin : origin.name;
  using lock = lockStore(store.directory);
  const path = `${lock.stagingPath}/${crypto.randomUUID()}`;
  using _ = { [Symbol.dispose]: () => rmSync(path, { force: true }) };
  const layer = await packInto(path, origin, options.signal, name);
  const created = new Date((sourceDateEpoch() ?? Date.now() / 1000) * 1000).toISOString();
  const configuration = Buffer.from(
    JSON.stringify({
      created,
      os: platform.os,
      architecture: platform.architecture,
      ...(platform.variant === undefined ? {} : { variant: platform.variant }),
      config: parameters,
      rootfs: { type: "layers", diff_ids: [layer.diffId] },
      history: [{ created, comment: options.message }],
    }),
  );
  const reader = readerOfNewImage({ name, configuration, layers: [{ ...layer, path }], format: "oci" });
  return await storeImage(store, reader, options.name === undefined ? [] : [options.name], {
    platform: undefined,
    signal: options.signal,
  });
}

async function packInto(path: string, origin: ArchiveOrigin, signal: AbortSignal, name: string): Promise<NewLayer> {
  await using file = await open(path, "wx", 0o600);
  // A name that leads out of the root directory would be refused when a container needs the layer.
  const reader = new TarReader({ entry: (entry) => void normalisePath(entry.name), data: () => {}, end: () => {} });
  const read = (step: () => void) => {
    try {
      step();
    } catch (cause) {
      if (!(cause instanceof BunkerError)) throw cause;
      throw new BunkerError(
        { code: "archive_invalid", operation: "import", object: name, reason: cause.message },
        { cause },
      );
    }
  };
  const checked = async function* () {
    for await (const piece of decompressed(origin, signal)) {
      signal.throwIfAborted();
      read(() => reader.feed(piece));
      yield piece;
    }
    read(() => reader.finish());
  };
  const write = async (bytes: Buffer) => {
    for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
  };
  try {
    return await packLayer(checked(), "gzip", write);
  } catch (cause) {
    throw writeError(cause, "import", name);
  }
}
