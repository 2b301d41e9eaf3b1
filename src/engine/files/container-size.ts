import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { SIZE_FILE } from "../../image/layers/layer-directory.ts";
import { ownedTreeSize, ownershipOf } from "../ownership.ts";
import { containerDirectory } from "../state/container-lock.ts";
import type { Container } from "../state/containers.ts";

/** Bytes of files, as their lengths say. */
export interface ContainerSize {
  /** What the container has written. */
  readonly written: number;
  /** That and its image. */
  readonly whole: number;
}

/** Makes what measures containers. */
export function containerMeasure(data: string): (container: Container) => ContainerSize {
  const { userNamespace } = ownershipOf({ kind: "default" }, data);
  return ({ id, definition: { root } }) => {
    const written = ownedTreeSize(`${containerDirectory(data, id)}/upper`, userNamespace);
    const layers = root.kind === "layers" ? root.lower.map(layerSize) : [];
    return { written, whole: layers.reduce((sum, size) => sum + size, written) };
  };
}

/** What stands beside a layer's directory; one of nothing at all has nothing there. */
function layerSize(directory: string): number {
  try {
    return Number(readFileSync(`${dirname(directory)}/${SIZE_FILE}`, "latin1"));
  } catch {
    return 0;
  }
}
