/*
 * Writing the id maps of a user namespace that a child has just made; user_namespaces(7).
 *
 * Who has CAP_SETUID and CAP_SETGID where the namespace was made (root, also root of an outer user namespace) writes
 * /proc/PID/uid_map and gid_map itself. Everyone else may write only their own id; for more, newuidmap and newgidmap
 * check the user's ranges and write; id-map-helpers.ts.
 */

import { BunkerError, errnoOf } from "../../sys/error.ts";
import { readText, writeText } from "../../sys/named-file.ts";
import { hasCapabilities } from "../callers-capabilities.ts";
import { startHelpers } from "./id-map-helpers.ts";
import { formatMap, type IdMap } from "./id-mapping.ts";

/** Whether this process may write any map, and mount, chown and so on where it is. */
export function isPrivileged(): boolean {
  return hasCapabilities(["CAP_SETUID", "CAP_SETGID"]);
}

/** Whether this process is in the initial user namespace, as far as its id map tells. */
export function isInInitialUserNamespace(): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(readText("/proc/self/uid_map"));
}

/**
 * Whether setgroups(2) will be permitted in a user namespace made by this process with this map.
 * @param privileged see `isPrivileged`
 */
export function permitsSetGroups(map: IdMap, privileged: boolean): boolean {
  // Where it is denied to us, it is denied in every namespace below.
  if (privileged) return readText("/proc/self/setgroups").trim() !== "deny";
  return !isOwnIdOnly(map);
}

function isOwnIdOnly({ uidMappings, gidMappings }: IdMap): boolean {
  const [user, ...moreUsers] = uidMappings;
  const [group, ...moreGroups] = gidMappings;
  return (
    moreUsers.length === 0 &&
    moreGroups.length === 0 &&
    user?.size === 1 &&
    user.hostID === process.geteuid?.() &&
    group?.size === 1 &&
    group.hostID === process.getegid?.()
  );
}

/** Whether the maps are written by newuidmap and newgidmap rather than by this process. */
export function needsHelpers(map: IdMap, privileged: boolean): boolean {
  return !privileged && !isOwnIdOnly(map);
}

/**
 * Starts to write both maps.
 * @param pid of a process in the new namespace, a child of this one
 * @returns a function that waits until they are written; called again, it does nothing
 * @throws BunkerError `id_map_refused` with what the kernel or the helper said; so does the function
 */
export function beginIdMap(pid: number, map: IdMap, privileged: boolean): () => void {
  if (!needsHelpers(map, privileged)) {
    // Without privilege the group map is accepted only after setgroups was given up.
    if (!privileged) write(`/proc/${pid}/setgroups`, "deny");
    writeMapFiles(pid, map);
    return () => {};
  }
  return startHelpers(pid, map);
}

/** Writes both maps, and waits until they are; see `beginIdMap`. */
export function writeIdMap(pid: number, map: IdMap, privileged: boolean): void {
  beginIdMap(pid, map, privileged)();
}

function writeMapFiles(pid: number, { uidMappings, gidMappings }: IdMap): void {
  write(`/proc/${pid}/gid_map`, formatMap(gidMappings));
  write(`/proc/${pid}/uid_map`, formatMap(uidMappings));
}

function write(path: string, text: string): void {
  try {
    writeText(path, text);
  } catch (error) {
    throw new BunkerError({
      code: "id_map_refused",
      operation: `write the id map "${text.trim().replaceAll("\n", ", ")}" to`,
      object: path,
      errno: errnoOf(error),
      hint: "an ordinary user can map only their own id without newuidmap and newgidmap",
    });
  }
}
