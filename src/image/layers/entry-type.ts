import { FileMode } from "../../sys/stat.ts";
import type { TarEntryType } from "../tar/tar-entry.ts";

/**
 * What a file that is no directory is in a layer; inode(7).
 * @param mode with the file's type
 * @returns undefined for a socket, which means nothing without the process that listens, and for a directory
 */
export function entryTypeOf(mode: number): Exclude<TarEntryType, "hard-link" | "directory"> | undefined {
  switch (mode & FileMode.type) {
    case FileMode.regular:
      return "file";
    case FileMode.symbolicLink:
      return "symbolic-link";
    case FileMode.characterDevice:
      return "character-device";
    case FileMode.blockDevice:
      return "block-device";
    case FileMode.fifo:
      return "fifo";
    default:
      return undefined;
  }
}
