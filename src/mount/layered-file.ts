import { encodeText } from "../sys/byte-string.ts";
import { getAttribute, openAt, openAt2, statusAt, statusOf } from "../sys/file.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import { readOpenText } from "../sys/named-file.ts";
import { AT_FDCWD, OpenFlag, Resolve } from "../sys/open.ts";
import { FileMode, isType } from "../sys/stat.ts";
import { OPAQUE_ATTRIBUTE, OPAQUE_VALUE } from "./overlay-attributes.ts";

const { O_RDONLY, O_PATH, O_DIRECTORY, O_CLOEXEC, O_NONBLOCK, O_NOFOLLOW } = OpenFlag;

/** A user database beyond this size is an attack on memory. */
const LARGEST_FILE = 16 * 1024 * 1024;

/**
 * Reads a file as a union of layers would show it, without mounting them. Symbolic links are resolved inside the layer
 * that has them, so none leads outside; one that leads to another layer's file counts as missing.
 * @param layers directories, uppermost first
 * @param path relative to the root, such as `etc/passwd`
 * @returns undefined when the union has no such (readable) file
 */
export function readLayeredFile(layers: readonly string[], path: string): string | undefined {
  using file = openInLayers(layers, path, O_RDONLY | O_NONBLOCK);
  if (file === undefined) return undefined;
  const status = statusOf(file.number);
  if (typeof status === "number" || !isType(status, FileMode.regular) || status.size > LARGEST_FILE) return undefined;
  try {
    return readOpenText(file.number, path);
  } catch {
    return undefined;
  }
}

/**
 * What a union of layers would show at a path, found as by `readLayeredFile`.
 * @returns undefined when there is nothing
 */
export function kindInLayers(layers: readonly string[], path: string): "directory" | "file" | undefined {
  using file = openInLayers(layers, path, O_PATH);
  if (file === undefined) return undefined;
  const status = statusOf(file.number);
  // A device without a number is a whiteout.
  if (typeof status === "number" || (isType(status, FileMode.characterDevice) && status.deviceMajor === 0)) {
    return undefined;
  }
  return isType(status, FileMode.directory) ? "directory" : "file";
}

function openInLayers(layers: readonly string[], path: string, flags: number): FileDescriptor | undefined {
  const prefixes = path.split("/").map((_, index, names) => names.slice(0, index + 1).join("/"));
  for (const layer of layers) {
    const root = openAt(AT_FDCWD, encodeText(layer), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) continue;
    using directory = new FileDescriptor(root);
    const file = openAt2(
      directory.number,
      encodeText(path),
      flags | O_CLOEXEC,
      Resolve.IN_ROOT | Resolve.NO_MAGICLINKS,
    );
    if (file >= 0) return new FileDescriptor(file);
    if (prefixes.some((prefix) => hidesBelow(directory.number, prefix))) return undefined;
  }
  return undefined;
}

/**
 * Whether a layer's entry keeps what lower layers have of that name from view: anything but a directory does, such as a
 * whiteout, and an opaque directory. It is not opened for that: where devices are not permitted, nor are whiteouts.
 */
function hidesBelow(root: number, path: string): boolean {
  const status = statusAt(root, encodeText(path));
  if (typeof status === "number") return false;
  if ((status.mode & FileMode.type) !== FileMode.directory) return true;
  const opened = openAt(root, encodeText(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (opened < 0) return false;
  using directory = new FileDescriptor(opened);
  return getAttribute(directory.number, OPAQUE_ATTRIBUTE) === OPAQUE_VALUE;
}
