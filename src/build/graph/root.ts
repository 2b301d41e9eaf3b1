import type { BuiltLayer } from "../cache/build-cache.ts";
import type { BaseImage } from "../layers/base-image.ts";

/** A root file system as far as a stage has come: layers of an image, or nothing, and what steps have put on them. */
export interface Root {
  readonly base: BaseImage | undefined;
  /** From the lowest to the uppermost. */
  readonly layers: readonly BuiltLayer[];
}
