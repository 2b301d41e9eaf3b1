import type { IdMapping } from "../configuration/configuration.ts";

/** The user ids and the group ids of a user namespace. */
export interface IdMap {
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
}

/** How many ids a namespace with these mappings has. */
export function mappedCount(mappings: readonly IdMapping[]): number {
  return mappings.reduce((total, { size }) => total + size, 0);
}

/**
 * What an id inside is outside.
 * @returns undefined when it is not mapped
 */
export function outerId(mappings: readonly IdMapping[], id: number): number | undefined {
  const mapping = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return mapping === undefined ? undefined : mapping.hostID + (id - mapping.containerID);
}

/**
 * Joins the mappings of a namespace (`inner`) with those of its parent (`outer`) into mappings from the inner ids to
 * what the outer ones stand for. Ids that the parent does not map fall away.
 */
export function composeMappings(inner: readonly IdMapping[], outer: readonly IdMapping[]): readonly IdMapping[] {
  const joined: IdMapping[] = [];
  for (const mapping of inner) {
    for (const parent of outer) {
      const start = Math.max(mapping.hostID, parent.containerID);
      const end = Math.min(mapping.hostID + mapping.size, parent.containerID + parent.size);
      if (start >= end) continue;
      joined.push({
        containerID: mapping.containerID + (start - mapping.hostID),
        hostID: parent.hostID + (start - parent.containerID),
        size: end - start,
      });
    }
  }
  return joined.sort((a, b) => a.containerID - b.containerID);
}

/**
 * Mappings in the form of /proc/PID/uid_map, one line each: first id inside, first id outside, count. The words are
 * also the arguments of newuidmap(1) and newgidmap(1).
 */
export function formatMap(mappings: readonly IdMapping[]): string {
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
}
