/** To whom the files of containers and layers belong, and how they are removed. */
import type { LayerMapping } from "../image/layers/layer-directory.ts";
import { callersIdMap } from "../runtime/id-map/callers-id-map.ts";
import { type IdMap, outerId } from "../runtime/id-map/id-mapping.ts";
import { keepIdMap } from "../runtime/id-map/keep-id-map.ts";
import { presentIdMap } from "../runtime/id-map/present-id-map.ts";
import { isInInitialUserNamespace, isPrivileged } from "../runtime/id-map/write-id-map.ts";
import { runInUserNamespace } from "../runtime/user-namespace-process.ts";
import { BunkerError } from "../sys/error.ts";
import { type KeepOpen, removeTree } from "../sys/remove-tree.ts";
import { treeSize } from "../sys/tree-size.ts";
import { isDenied } from "./is-denied.ts";
import type { UserNamespaceMode } from "./specification/run-options.ts";

/** The user namespace of a container, and how the store keeps files for it. */
export interface Ownership {
  /** undefined stays in the present user namespace. */
  readonly userNamespace: IdMap | undefined;
  readonly mapping: LayerMapping;
  /** The store of unpacked layers whose files have the owners that this namespace shows. */
  readonly store: string;
  /** Who runs when neither the user nor the image says it; empty is root. */
  readonly defaultUser: string;
  /** Why there are few ids, and what would give more; undefined when there are as many as usual. */
  readonly idShortage: string | undefined;
  /** What about the ids a user should know, although containers run. */
  readonly warnings: readonly string[];
}

/**
 * Decides on the user namespace of a container: none for root, the caller's own map for everyone else, or that map
 * turned so that the caller keeps an id.
 * @param data Bunker's data directory
 * @throws BunkerError `invalid_subordinate_ids`; `no_root_id` when keeping an id leaves none for the container's root
 */
export function ownershipOf(mode: UserNamespaceMode, data: string): Ownership {
  const privileged = isPrivileged();
  const own = privileged ? presentIdMap() : callersIdMap();
  const { warnings } = own;
  const mapping = own.kind;
  const idShortage = own.kind === "single" ? own.reason : warnings[0];
  if (mode.kind !== "keep-id") {
    const isHostsRoot = privileged && isInInitialUserNamespace();
    return {
      userNamespace: isHostsRoot ? undefined : own,
      mapping,
      store: data,
      defaultUser: "",
      idShortage,
      warnings,
    };
  }
  const wanted = { uid: mode.uid ?? process.geteuid?.() ?? 0, gid: mode.gid ?? process.getegid?.() ?? 0 };
  const kept = keepIdMap(own, wanted);
  if (outerId(kept.uidMappings, 0) === undefined || outerId(kept.gidMappings, 0) === undefined) {
    throw new BunkerError({
      code: "no_root_id",
      operation: `keep the ids ${wanted.uid}:${wanted.gid} in the container's user namespace`,
      reason: `no id is left for its root${idShortage === undefined ? "" : `: ${idShortage}`}`,
      hint: "Without --userns keep-id you are its root.",
    });
  }
  return {
    userNamespace: kept,
    mapping,
    // The files of a layer have owners for one map only; another map needs another copy.
    store: `${data}/keep-id/${wanted.uid}-${wanted.gid}`,
    defaultUser: `${wanted.uid}:${wanted.gid}`,
    idShortage,
    warnings,
  };
}

/**
 * Adds up the lengths of files that may belong to subordinate ids, where necessary as root of a user namespace that has
 * them.
 * @param userNamespace undefined when the caller is root already
 * @returns bytes, as `treeSize`
 */
export function ownedTreeSize(path: string, userNamespace: IdMap | undefined): number {
  try {
    return treeSize(path);
  } catch (error) {
    if (!isDenied(error) || userNamespace === undefined) throw error;
    return Number(runInUserNamespace(userNamespace, ["internal", "measure", path]));
  }
}

/**
 * Removes a tree whose files may belong to subordinate ids, where necessary as root of a user namespace that has them.
 * @param userNamespaceOf gives that namespace when it is needed; undefined when the caller is root already
 * @param keepOpen takes directories that this process removes
 */
export function removeOwnedTree(path: string, userNamespaceOf: () => IdMap | undefined, keepOpen?: KeepOpen): void {
  try {
    removeTree(path, keepOpen);
  } catch (error) {
    const userNamespace = isDenied(error) ? userNamespaceOf() : undefined;
    if (userNamespace === undefined) throw error;
    runInUserNamespace(userNamespace, ["internal", "remove", path]);
  }
}

/** The same for a tree of the user's own, under the map that all have who do not ask for another. */
export function removeUsersTree(data: string, path: string, keepOpen?: KeepOpen): void {
  removeOwnedTree(path, () => ownershipOf({ kind: "default" }, data).userNamespace, keepOpen);
}
