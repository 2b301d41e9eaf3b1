import type { FileStatus } from "../../sys/stat.ts";

/** By what a file is taken for unchanged: another content cannot come about without another of these. */
export function fileIdentity({ inode, size, modified, changed }: FileStatus): string {
  return `${inode} ${size} ${modified.seconds}.${modified.nanoseconds} ${changed.seconds}.${changed.nanoseconds}`;
}
