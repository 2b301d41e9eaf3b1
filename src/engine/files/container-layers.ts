import type { Configuration } from "../../runtime/configuration/configuration.ts";
import type { IdMap } from "../../runtime/id-map/id-mapping.ts";
import { BunkerError } from "../../sys/error.ts";
import { exists } from "../../sys/named-file.ts";
import { resolvePath } from "../../sys/resolve-path.ts";
import { readConfiguration } from "../state/container-configuration.ts";
import { containerDirectory } from "../state/container-lock.ts";
import type { Container } from "../state/containers.ts";

/** What a container's root file system is put together from. */
export interface ContainerLayers {
  /** The directory of what the container has changed; undefined for one that cannot change anything. */
  readonly upper: string | undefined;
  /** The directories of the layers below, the uppermost first. */
  readonly lower: readonly string[];
  /** Where other things are mounted while it runs, relative to its root: what lies there was made to mount them on. */
  readonly mountPoints: readonly string[];
}

/** The user namespace in which the files of a container have the owners that it sees; undefined is the present one. */
export function namespaceOf({ linux }: Configuration): IdMap | undefined {
  const { uidMappings, gidMappings } = linux ?? {};
  return uidMappings === undefined || gidMappings === undefined ? undefined : { uidMappings, gidMappings };
}

/**
 * Finds the layers of a container.
 * @param operation for the message: `show the changes of`
 * @throws BunkerError `not_layered` for one whose root file system is a directory of the host
 */
export function layersOf(operation: string, data: string, container: Container): ContainerLayers {
  const { root } = container.definition;
  if (root.kind !== "layers") {
    throw new BunkerError({
      code: "not_layered",
      operation: `${operation} container`,
      object: container.name,
      reason: "its root file system is a directory of the host and not an image",
      exitStatus: 1,
    });
  }
  const upper = `${containerDirectory(data, container.id)}/upper`;
  const { mounts = [] } = readConfiguration(data, container.id);
  return {
    upper: exists(upper) ? upper : undefined,
    lower: root.lower,
    mountPoints: mounts.map(({ destination }) => resolvePath(destination, "/").slice(1)),
  };
}
