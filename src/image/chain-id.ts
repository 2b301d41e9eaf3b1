import { type Digest, digestOf } from "./digest.ts";

/** What identifies a layer. */
export interface LayerIdentity {
  readonly diffId: Digest;
  readonly chainId: Digest;
}

/**
 * Computes the chain id of each layer; OCI image specification, config.md, "Layer ChainID".
 * @param diffIds from the lowest layer to the uppermost
 */
export function identifyLayers(diffIds: readonly Digest[]): LayerIdentity[] {
  let below: Digest | undefined;
  return diffIds.map((diffId) => {
    below = below === undefined ? diffId : digestOf(`${below} ${diffId}`);
    return { diffId, chainId: below };
  });
}
