/*
 * The marks of deletion: in an archive an empty file `.wh.NAME`, and `.wh..wh..opq` in a directory that hides the
 * content of its namesakes below (OCI image specification, layer.md, "Whiteouts"); on disk, a character device 0/0.
 */
import type { ByteString } from "../../sys/byte-string.ts";
import { statusAt } from "../../sys/file.ts";
import { FileMode, type FileStatus, isType } from "../../sys/stat.ts";

export const WHITEOUT_PREFIX = ".wh.";
export const OPAQUE_WHITEOUT = ".wh..wh..opq";
/** What aufs kept for itself in the layers of old images. */
export const AUFS_PREFIX = ".wh..wh.";

/** The name that a whiteout hides; undefined for one of aufs, and where there is no such name. */
export function hiddenName(whiteout: ByteString): ByteString | undefined {
  const hidden = whiteout.slice(WHITEOUT_PREFIX.length) as ByteString;
  const isName = hidden !== "" && hidden !== "." && hidden !== "..";
  return isName && !whiteout.startsWith(AUFS_PREFIX) ? hidden : undefined;
}

/** Whether a status is that of the mark for a deleted name. */
export function isWhiteoutStatus(status: FileStatus): boolean {
  return isType(status, FileMode.characterDevice) && status.deviceMajor === 0 && status.deviceMinor === 0;
}

/** Whether a name is the mark of a deleted file. */
export function isWhiteout(directory: number, name: ByteString): boolean {
  const status = statusAt(directory, name);
  return typeof status !== "number" && isWhiteoutStatus(status);
}
