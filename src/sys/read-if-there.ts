import { encodeText } from "./byte-string.ts";
import { openAt } from "./file.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { readOpenText } from "./named-file.ts";
import { AT_FDCWD, OpenFlag } from "./open.ts";

/** The text of a small file, or undefined when it cannot be read, for whatever reason. */
export function readIfThere(path: string): string | undefined {
  const opened = openAt(AT_FDCWD, encodeText(path), OpenFlag.O_RDONLY | OpenFlag.O_CLOEXEC);
  // An error that nobody sees is not made: that takes longer than the rest, and many files are looked for in vain.
  if (opened < 0) return undefined;
  using file = new FileDescriptor(opened);
  try {
    return readOpenText(file.number, path);
  } catch {
    return undefined;
  }
}
