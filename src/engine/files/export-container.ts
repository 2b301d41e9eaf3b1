import * as v from "valibot";
import { readConfiguration } from "../state/container-configuration.ts";
import type { Container } from "../state/containers.ts";
import { askInside } from "./ask-inside.ts";
import { type ContainerLayers, layersOf, namespaceOf } from "./container-layers.ts";

const warningsSchema = v.pipe(v.string(), v.parseJson(), v.array(v.string()));

/** Where an archive goes. */
export interface ArchiveDestination {
  readonly descriptor: number;
  /** For messages. */
  readonly name: string;
}

/**
 * Writes the whole root file system of a container as a tar archive, without what is mounted in it.
 * @returns warnings about what the archive cannot say
 * @throws BunkerError `not_layered` for a view of the host, `no_space`, `write_failed`
 */
export async function exportContainer(
  data: string,
  container: Container,
  destination: ArchiveDestination,
  signal: AbortSignal,
): Promise<string[]> {
  const map = namespaceOf(readConfiguration(data, container.id));
  const request = { layers: rootLayersOf(data, container), output: destination.name };
  const answer = await askInside(map, "archive", request, { descriptors: [destination.descriptor] }, signal);
  return v.parse(warningsSchema, answer);
}

/** A directory of the host that is used as it is, is one layer. */
function rootLayersOf(data: string, container: Container): ContainerLayers {
  const { root } = container.definition;
  if (root.kind === "directory") return { upper: undefined, lower: [root.path], mountPoints: [] };
  return layersOf("export", data, container);
}
