import { errnoOf } from "./error.ts";
import { nodeFileSystem } from "./node-modules.ts";

/**
 * Writes all of `data` from `start` to `end` at `position` of a file; pwrite(2). The bytes may lie in any buffer: the
 * call goes through node:fs, which holds them still.
 * @returns 0 or the negated error number
 */
export function writeAt(file: number, data: Uint8Array, start: number, end: number, position: number): number {
  try {
    while (start < end) {
      const written = nodeFileSystem().writeSync(file, data, start, end - start, position);
      start += written;
      position += written;
    }
    return 0;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return -errno;
  }
}
