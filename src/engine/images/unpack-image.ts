import { isBadImage } from "../../image/bad-image.ts";
import { type LayerMapping, missingLayers } from "../../image/layers/layer-directory.ts";
import { unpackLayers } from "../../image/layers/unpack-layers.ts";
import { BunkerError } from "../../sys/error.ts";
import { compileReadily } from "../../sys/just-in-time.ts";
import { retellError } from "../../sys/retell-error.ts";
import { type ImageRequest, openSource } from "./open-source.ts";

/** Which layers to unpack, and where to. */
export interface UnpackRequest extends ImageRequest {
  readonly store: string;
  readonly mapping: LayerMapping;
}

/**
 * Unpacks what a store lacks of an image; has to run as root of the user namespace that the files are for.
 * @throws BunkerError as `openImage` and `unpackLayers` do
 */
export async function unpackImage(request: UnpackRequest, onWarning: (message: string) => void): Promise<void> {
  compileReadily();
  const image = await openSource(request);
  const missing = missingLayers(image, request.store, request.mapping);
  try {
    await unpackLayers(image, missing, request.store, { mapping: request.mapping, onWarning });
  } catch (cause) {
    if (!(cause instanceof BunkerError) || request.source.kind !== "stored" || !isBadImage(cause)) throw cause;
    const hint = "If it was whole once, it is damaged in the store: pull it again, or remove it and load it again.";
    throw retellError(cause, { hint });
  }
}
