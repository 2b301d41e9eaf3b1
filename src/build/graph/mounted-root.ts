import { mountHere } from "../../mount/mount-here.ts";
import { MNT_DETACH, unmount } from "../../sys/mount.ts";
import { exists, makeSharedDirectory } from "../../sys/named-file.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import type { BuildSession } from "./session.ts";

/** A root file system, mounted to be read or changed, in the mount namespace of the build. */
export interface MountedRoot extends Disposable {
  readonly path: string;
}

/**
 * Mounts a root file system to write to it; what changes goes to `diff` in a directory.
 * @param staging the directory
 * @param lower as `directoriesOf` has it
 */
export function mountWritable(session: BuildSession, staging: string, lower: readonly string[]): MountedRoot {
  const [upper, work, target] = ["diff", "work", "root"].map((name) => `${staging}/${name}`) as [
    string,
    string,
    string,
  ];
  for (const path of [upper, work, target]) if (!exists(path)) makeSharedDirectory(path, 0o755);
  mountHere(session.data, { lower, changes: { upper, work, volatile: true }, target });
  return {
    path: target,
    [Symbol.dispose]: () => {
      unmount(target, MNT_DETACH);
      removeTree(work);
      removeTree(`${work}.boot`);
      removeTree(target);
    },
  };
}

/** Mounts a root file system to read it. */
export function mountReadable(session: BuildSession, lower: readonly string[]): MountedRoot {
  const target = session.cache.makeStaging();
  mountHere(session.data, { lower, changes: undefined, target });
  return {
    path: target,
    [Symbol.dispose]: () => {
      unmount(target, MNT_DETACH);
      removeTree(target);
    },
  };
}
