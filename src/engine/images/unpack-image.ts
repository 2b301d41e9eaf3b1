import { type LayerMapping, missingLayers } from "../../image/layers/layer-directory.ts";
import { unpackLayers } from "../../image/layers/unpack-layers.ts";
import { compileReadily } from "../../sys/just-in-time.ts";
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
  await unpackLayers(image, missing, request.store, { mapping: request.mapping, onWarning });
}
