import * as v from "valibot";
import type { Change } from "../../image/layers/list-changes.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { readConfiguration } from "../state/container-configuration.ts";
import type { Container } from "../state/containers.ts";
import { askInside } from "./ask-inside.ts";
import { layersOf, namespaceOf } from "./container-layers.ts";

const changesSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.array(v.object({ kind: v.picklist(["added", "changed", "deleted"]), path: v.string() })),
);

/**
 * Lists what a container has changed in its image, sorted by path.
 * @throws BunkerError `not_layered`, and what keeps the layers from being read
 */
export async function listContainerChanges(data: string, container: Container, signal: AbortSignal): Promise<Change[]> {
  const layers = layersOf("show the changes of", data, container);
  const map = namespaceOf(readConfiguration(data, container.id));
  const answer = await askInside(map, "changes", { layers }, {}, signal);
  return v.parse(changesSchema, answer).map(({ kind, path }) => ({ kind, path: path as ByteString }));
}
