import { openSync } from "node:fs";
import { stat } from "node:fs/promises";
import { setUmask } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import type { Digest } from "../digest.ts";
import type { LayerMapping } from "./layer-directory.ts";
import { openPackedLayer } from "./layer-stream.ts";
import { unpackHere } from "./layer-unpacker.ts";
import { UnpackToolbox } from "./unpack-tools.ts";

/** What a packed layer is unpacked to. */
export interface LayerTarget {
  /** An empty directory. */
  readonly directory: string;
  /** The directories of the layers below, the uppermost first. */
  readonly lower: readonly string[];
  /** What its archive has to be. */
  readonly diffId: Digest;
  readonly mapping: LayerMapping;
}

/**
 * Unpacks one layer, as `unpackLayers` does those of an image, but to any directory; the process's umask is changed
 * meanwhile.
 * @param blob the file with its packed bytes, which are verified already
 * @returns warnings of what could not be kept
 * @throws BunkerError as `unpackLayers`; what is in the directory then is of no use
 */
export async function unpackLayer(
  blob: string,
  { directory, lower, diffId, mapping }: LayerTarget,
  signal: AbortSignal,
): Promise<readonly string[]> {
  using cleanup = new DisposableStack();
  const openDirectory = (path: string) =>
    cleanup.use(new FileDescriptor(openSync(path, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC)));
  const toolbox = cleanup.use(new UnpackToolbox(undefined));
  const umask = setUmask(0);
  try {
    const unpacker = unpackHere(
      { content: openDirectory(directory).number, mapping, diffId, root: undefined },
      toolbox,
    );
    const { size } = await stat(blob);
    await using packed = await openPackedLayer({ path: blob, offset: 0, size }, undefined);
    await unpacker.unpack(packed, signal);
    const { losses } = await unpacker.finish(lower.map((path) => ({ descriptor: openDirectory(path).number })));
    return losses;
  } finally {
    setUmask(umask);
  }
}
