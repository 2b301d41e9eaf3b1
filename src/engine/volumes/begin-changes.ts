import { BunkerError, errnoOf } from "../../sys/error.ts";
import { nodeFileSystem } from "../../sys/node-modules.ts";
import { removeUsersTree } from "../ownership.ts";

/**
 * Makes the directory for what a container changes of what is mounted somewhere.
 * @param directory the container's own
 * @param destination where it is mounted
 * @returns its path, for `beginChanges`
 */
export function makeChangesDirectory(directory: string, destination: string): string {
  const path = `${directory}/changes-${Bun.hash(destination).toString(16)}`;
  nodeFileSystem().mkdirSync(path, { mode: 0o700 });
  return path;
}

/**
 * Makes the directories that a container's changes to a directory of the host (`O` of `--volume`) or to an image go to,
 * without what an earlier run has written.
 * @param source the directory, whose mode the container is to see
 * @throws BunkerError `mount_source_missing`, `system_call_failed`
 */
export function beginChanges(data: string, source: string, changes: string): void {
  for (const name of ["upper", "work"]) removeUsersTree(data, `${changes}/${name}`);
  let mode: number;
  try {
    ({ mode } = nodeFileSystem().statSync(source));
  } catch (error) {
    throw new BunkerError({
      code: "mount_source_missing",
      operation: "look at",
      object: source,
      errno: errnoOf(error),
    });
  }
  for (const name of ["upper", "work"]) nodeFileSystem().mkdirSync(`${changes}/${name}`);
  // Of the root of a union it is the upper directory's mode that counts.
  nodeFileSystem().chmodSync(`${changes}/upper`, mode & 0o7777);
}
