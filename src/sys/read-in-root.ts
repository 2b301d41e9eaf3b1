import { encodeText } from "./byte-string.ts";
import { openAt2, statusOf } from "./file.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { readOpenText } from "./named-file.ts";
import { OpenFlag, Resolve } from "./open.ts";
import { FileMode, isType } from "./stat.ts";

const { O_RDONLY, O_CLOEXEC, O_NONBLOCK, O_NOCTTY } = OpenFlag;

/** More than that is no list of users but an attack on memory. */
const LARGEST_FILE = 16 * 1024 * 1024;

/**
 * The text of a small file below a root directory of others, whose links lead to nothing but what is below it too.
 * @param root a descriptor of the directory
 * @param path such as `etc/passwd`
 * @returns undefined when there is no such regular file, or it cannot be read
 */
export function readInRoot(root: number, path: string): string | undefined {
  const flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  const opened = openAt2(root, encodeText(path), flags, Resolve.IN_ROOT | Resolve.NO_MAGICLINKS);
  if (opened < 0) return undefined;
  using file = new FileDescriptor(opened);
  const status = statusOf(file.number);
  if (typeof status === "number" || !isType(status, FileMode.regular) || status.size > LARGEST_FILE) return undefined;
  try {
    return readOpenText(file.number, path);
  } catch {
    return undefined;
  }
}
