/*
 * What a file of a source is, as it goes into an image. Of a build context neither owners nor access control lists do: they
 * are the host's, and its files belong to root in an image. Files of a stage keep theirs, also those that a layer only
 * records (image/layers/ownership.ts).
 */
import type { Loss } from "../../image/layers/entry-attributes.ts";
import { noAttributes, readAttributes, recordedMode } from "../../image/layers/recorded-attributes.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { FileMode, type FileStatus } from "../../sys/stat.ts";

/** Whose the files of a source are. */
export type SourceOwners = "root" | "kept";

/** A file without its content. */
export interface SourceEntry {
  readonly uid: number;
  readonly gid: number;
  /** Permissions, set-id bits and sticky bit. */
  readonly mode: number;
  readonly attributes: ReadonlyMap<ByteString, ByteString>;
  /** The device that a device node, or a file that stands for one, means. */
  readonly device: { readonly isCharacter: boolean; readonly major: number; readonly minor: number } | undefined;
}

/** A place in a walk; as `WalkStep` has it. */
interface SourcePlace {
  readonly path: ByteString;
  readonly parent: number;
  readonly base: ByteString;
  readonly status: FileStatus;
}

/**
 * Reads what a file is.
 * @param file the file or directory itself, when it is open
 * @param lose is told of attributes that cannot be kept
 */
export function sourceEntry(
  { path, parent, base, status }: SourcePlace,
  file: number | undefined,
  owners: SourceOwners,
  lose: Loss,
): SourceEntry {
  const type = status.mode & FileMode.type;
  // Links of a build context have no attributes that an image could have.
  const isPlain = owners === "root" && file === undefined;
  const { attributes, override } = isPlain
    ? { attributes: noAttributes, override: undefined }
    : readAttributes(path, parent, base, file, lose);
  const isDevice = type === FileMode.characterDevice || type === FileMode.blockDevice;
  const own = isDevice
    ? {
        isCharacter: type === FileMode.characterDevice,
        major: status.deviceMajor,
        minor: status.deviceMinor,
      }
    : undefined;
  const permissions = status.mode & FileMode.permissions;
  if (owners === "root")
    return { uid: 0, gid: 0, mode: permissions, attributes: imageAttributes(attributes), device: own };
  return {
    uid: override?.uid ?? status.uid,
    gid: override?.gid ?? status.gid,
    mode: override === undefined ? permissions : recordedMode(status, override),
    attributes,
    device: override?.device ?? own,
  };
}

function imageAttributes(attributes: ReadonlyMap<ByteString, ByteString>): ReadonlyMap<ByteString, ByteString> {
  if (attributes.size === 0) return attributes;
  return new Map([...attributes].filter(([name]) => name.startsWith("user.") || name === "security.capability"));
}
