import type { IdMapping } from "../configuration/configuration.ts";
import { composeMappings, type IdMap, mappedCount } from "./id-mapping.ts";

/**
 * The map of a container in which the caller has a chosen id instead of 0 (`--userns keep-id`): the caller is `wanted`,
 * the ids below it come from the first others of `map`, the ids above it from the rest. When `map` has fewer ids than
 * `wanted`, all others are below and the ids between stay unmapped.
 * @param map a user's map (`userIdMap`), in which 0 is the caller; or, for a container nested in a namespace with that
 * map, the identity over as many ids
 * @param wanted the ids that the caller shall have inside
 * @returns mappings to what `map` maps to
 */
export function keepIdMap(map: IdMap, wanted: { readonly uid: number; readonly gid: number }): IdMap {
  return {
    uidMappings: keepId(map.uidMappings, wanted.uid),
    gidMappings: keepId(map.gidMappings, wanted.gid),
  };
}

function keepId(mappings: readonly IdMapping[], wanted: number): readonly IdMapping[] {
  const others = mappedCount(mappings) - 1;
  const below = Math.min(wanted, others);
  const shifted = [
    { containerID: 0, hostID: 1, size: below },
    { containerID: wanted, hostID: 0, size: 1 },
    { containerID: wanted + 1, hostID: below + 1, size: others - below },
  ];
  return composeMappings(shifted, mappings);
}
