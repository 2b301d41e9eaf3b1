import type { ByteString } from "../../sys/byte-string.ts";
import type { Timestamp } from "../../sys/stat.ts";

export type TarEntryType =
  | "file"
  | "hard-link"
  | "symbolic-link"
  | "character-device"
  | "block-device"
  | "directory"
  | "fifo";

/** A member of an archive as its headers describe it, extensions applied. Names are as written, not yet judged. */
export interface TarEntry {
  readonly type: TarEntryType;
  readonly name: ByteString;
  /** The target of a hard or symbolic link. */
  readonly linkName: ByteString;
  /** Permissions, set-id bits and sticky bit. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the file, holes included; 0 for everything but files. */
  readonly size: number;
  readonly modified: Timestamp;
  readonly accessed: Timestamp | undefined;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Extended attributes by full name (`user.x`, `security.capability`), from the pax records SCHILY.xattr. */
  readonly attributes: ReadonlyMap<ByteString, ByteString>;
  /** POSIX access control lists in text form, from the pax records SCHILY.acl of GNU tar and star. */
  readonly accessList: ByteString | undefined;
  readonly defaultList: ByteString | undefined;
}
