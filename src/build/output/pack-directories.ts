import { openSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { archiveLayer } from "../../image/layers/layer-diff.ts";
import { Losses } from "../../image/layers/losses.ts";
import { packLayer } from "../../image/layers/pack-layer.ts";
import { squashedEntries } from "../../image/layers/squashed-entries.ts";
import { type UpperEntry, upperEntries } from "../../image/layers/upper-directory.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { writeError } from "../../sys/write-error.ts";
import type { BuiltBlob } from "../cache/build-cache.ts";
import type { Packing } from "./packed-layers.ts";

/** What an archive has: the changes of one layer, or of several as one. Directories, the uppermost first. */
export type ArchiveContent =
  | { readonly kind: "layer"; readonly layer: string; readonly below: readonly string[] }
  | { readonly kind: "squashed"; readonly layers: readonly string[]; readonly below: readonly string[] };

/**
 * Packs layers of the cache.
 * @param path of the archive that is made
 * @param lose is told of what the archive cannot have
 * @throws BunkerError `no_space`, and as `archiveLayer`; the reason of `signal`
 */
export async function packDirectories(
  content: ArchiveContent,
  { compression, level, latestTime, earliestTime }: Packing,
  path: string,
  lose: (message: string) => void,
  signal: AbortSignal,
): Promise<BuiltBlob> {
  const losses = new Losses();
  using opened = new DisposableStack();
  const openDirectory = (directory: string) =>
    opened.use(new FileDescriptor(openSync(directory, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY))).number;
  const entries = entriesOf(content, openDirectory);
  const archive = archiveLayer(entries, { latestTime, earliestTime, lose: losses.add.bind(losses) });
  try {
    await using file = await open(path, "wx", 0o600);
    const packed = await packLayer(
      until(signal, archive),
      compression,
      async (bytes) => void (await file.write(bytes)),
      level,
    );
    losses.messages().forEach(lose);
    return packed;
  } catch (cause) {
    signal.throwIfAborted();
    throw writeError(cause, "write", dirname(path));
  }
}

/** The pieces of an archive, as long as they are wanted. */
function* until(signal: AbortSignal, pieces: Iterable<Buffer>): Generator<Buffer, void, undefined> {
  for (const piece of pieces) {
    signal.throwIfAborted();
    yield piece;
  }
}

function entriesOf(content: ArchiveContent, open: (directory: string) => number): Iterable<UpperEntry> {
  const below = content.below.map(open);
  return content.kind === "layer"
    ? upperEntries(open(content.layer), below)
    : squashedEntries(content.layers.map(open), below);
}
