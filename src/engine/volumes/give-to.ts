import type { IdMap } from "../../runtime/id-map/id-mapping.ts";
import { runInUserNamespace } from "../../runtime/user-namespace-process.ts";
import { changeTreeOwner } from "../../sys/change-tree-owner.ts";
import { ownershipOf } from "../ownership.ts";

/** Whom files are given to, by ids of a container. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Gives a file or directory, with everything in it, to a user of containers.
 * @param map the user namespace that the ids are of; unless given the one that containers have by default
 * @returns how many files stay with their owners, because they belong to nobody of that namespace
 * @throws BunkerError `system_call_failed`
 */
export function giveTo(
  data: string,
  path: string,
  { uid, gid }: Owner,
  map: IdMap | undefined = ownershipOf({ kind: "default" }, data).userNamespace,
): number {
  if (map === undefined) return changeTreeOwner(path, uid, gid);
  return Number(runInUserNamespace(map, ["internal", "give", path, String(uid), String(gid)]));
}
