import { nodePath } from "../sys/node-modules.ts";
import { removeGroup } from "./group-tree.ts";

/** What the cgroup of a container is called that is not in a scope of systemd's. */
export function nameByHand(id: string): string {
  return `bunker-${id}`;
}

/**
 * Removes the cgroup of a container that has ended, with what is still in it, if it was made by hand; scopes go by
 * themselves.
 * @param group its path in the hierarchy
 * @throws BunkerError `cgroup_not_removed`
 */
export function removeGroupMadeByHand(group: string, id: string): void {
  if (nodePath().basename(group) === nameByHand(id)) removeGroup(group);
}
