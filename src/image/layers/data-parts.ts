import { Errno } from "../../sys/errno.ts";
import { seek } from "../../sys/file.ts";
import type { FileStatus } from "../../sys/stat.ts";

/**
 * Finds the parts of a file that have data; between them are holes, which read as zeros.
 * @param file open for reading; its position moves
 * @param status of the file: its size counts, whatever becomes of it meanwhile
 */
export function* dataParts(
  file: number,
  { size, blocks }: Pick<FileStatus, "size" | "blocks">,
): Generator<{ readonly start: number; readonly end: number }, void, undefined> {
  const mayHaveHoles = blocks * 512 < size;
  for (let position = 0; position < size; ) {
    const start = mayHaveHoles ? findPart(file, "data", position, size) : position;
    if (start === size) return;
    const end = mayHaveHoles ? findPart(file, "hole", start, size) : size;
    yield { start, end };
    position = end;
  }
}

/** Where the next part of a kind begins; the end of the file where there is none, or the file system does not know. */
function findPart(file: number, what: "data" | "hole", offset: number, size: number): number {
  const found = seek(file, what, offset);
  if (found >= 0) return Math.min(found, size);
  return found === -Errno.ENXIO || what === "hole" ? size : offset;
}
