import { Errno } from "./errno.ts";
import { BunkerError, errnoOf } from "./error.ts";
import { nodeFileSystem } from "./node-modules.ts";

const GONE: readonly number[] = [Errno.ENOENT, Errno.ENOTDIR, Errno.ENAMETOOLONG];

/**
 * Adds up the lengths of the regular files in a directory and below it, of several names of one file once. Symbolic links
 * are not followed. What goes meanwhile does not count, nor does what lies deeper than a path can name.
 * @returns bytes
 * @throws BunkerError `system_call_failed`, with EACCES for a directory that may not be read
 */
export function treeSize(path: string): number {
  const counted = new Set<bigint>();
  const directories = [Buffer.from(path)];
  let sum = 0;
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    // Bun gives entries with types no names that are bytes.
    for (const name of namesIn(directory)) {
      const child = Buffer.concat([directory, Buffer.from("/"), name]);
      const status = ifThere(child, () => nodeFileSystem().lstatSync(child, { bigint: true }));
      if (status?.isDirectory()) directories.push(child);
      if (!status?.isFile() || (status.nlink > 1n && counted.has(status.ino))) continue;
      if (status.nlink > 1n) counted.add(status.ino);
      sum += Number(status.size);
    }
  }
  return sum;
}

function namesIn(directory: Buffer): readonly Buffer[] {
  return ifThere(directory, () => nodeFileSystem().readdirSync(directory, "buffer")) ?? [];
}

/** What can be had of a name; undefined when it has become nothing, or something else. */
function ifThere<Result>(path: Buffer, ask: () => Result): Result | undefined {
  try {
    return ask();
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === undefined) throw cause;
    if (GONE.includes(errno)) return undefined;
    throw new BunkerError(
      { code: "system_call_failed", operation: "measure", object: path.toString(), errno },
      { cause },
    );
  }
}
