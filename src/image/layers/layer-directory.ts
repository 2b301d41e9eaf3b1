/*
 * Where unpacked layers are: `<store>/layers/<algorithm>-<hex of the chain id>/diff/`. Beside it, in `size`, stands how
 * many bytes the files in it have, because finding that out takes long.
 *
 * The key is the chain id and not the diff id, although then the same archive on two different bases is unpacked
 * twice. What a layer looks like does depend on what is below it: an archive may hold `var/lib/x` without `var/lib`,
 * the directory has to be made, and overlay takes owner, mode and times of a directory from the uppermost layer that
 * has it. They have to be those of the layers below, which only the chain id determines. Docker and containerd share
 * layers under the same condition, and images built from one base do share it.
 *
 * A layer unpacked with a single id, whose owners are only recorded in attributes, is of no use where all ids are
 * available, nor the other way round: it has another name.
 */
import { readText, statusIfThere } from "../../sys/named-file.ts";
import type { LayerIdentity } from "../chain-id.ts";
import { splitDigest } from "../digest.ts";
import type { Image, Layer } from "../image.ts";

/** Whether files can belong to all ids of an image (`full`), or to the caller's only (`single`). */
export type LayerMapping = "full" | "single";

/** Beside a layer's content. */
export const SIZE_FILE = "size";

/** The name of a layer's directory in `<store>/layers`. */
export function layerName({ chainId }: LayerIdentity, mapping: LayerMapping): string {
  const { algorithm, hex } = splitDigest(chainId);
  return `${algorithm}-${hex}${mapping === "single" ? "-single" : ""}`;
}

/**
 * The file by whose lock (flock) a layer is used or changed.
 * @param staging `<store>/tmp`
 * @param name as `layerName` has it
 */
export function layerLockPath(staging: string, name: string): string {
  return `${staging}/${name}.lock`;
}

/** The directory that is a layer's content: what the union mount is given. */
export function layerDirectory(layer: LayerIdentity, store: string, mapping: LayerMapping): string {
  return `${store}/layers/${layerName(layer, mapping)}/diff`;
}

/**
 * Bytes of the files in an unpacked layer, as their lengths say.
 * @param store the store's directory
 * @returns undefined when the layer is not unpacked
 */
export function unpackedSize(layer: LayerIdentity, store: string): number | undefined {
  for (const mapping of ["full", "single"] as const) {
    try {
      return Number(readText(`${store}/layers/${layerName(layer, mapping)}/${SIZE_FILE}`));
    } catch {
      // The next one, or none.
    }
  }
  return undefined;
}

/**
 * The layers of an image that are not unpacked yet, from the lowest to the uppermost.
 * @param store the store's directory
 */
export function missingLayers(image: Image, store: string, mapping: LayerMapping): Layer[] {
  return image.layers.filter((layer) => statusIfThere(layerDirectory(layer, store, mapping)) === undefined);
}
