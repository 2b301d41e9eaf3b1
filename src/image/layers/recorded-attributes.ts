import {
  isReservedAttribute,
  OVERRIDE_STAT_ATTRIBUTE,
  type OverriddenStat,
  parseOverrideStat,
} from "../../mount/overlay-attributes.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { getAttribute, getAttributeAt, listAttributes, listAttributesAt } from "../../sys/file.ts";
import { FileMode, type FileStatus } from "../../sys/stat.ts";
import { type Loss, SELINUX_ATTRIBUTE } from "./entry-attributes.ts";
import { storeOwnership } from "./ownership.ts";
import { checkEntry, refusedEntry } from "./unpack-error.ts";
import { isGone } from "./upper-directory.ts";

/** Attributes with which overlay says that content is elsewhere; mounts of Bunker's make neither. */
const FOREIGN_ATTRIBUTES = ["user.overlay.redirect", "user.overlay.metacopy"];

export const noAttributes: ReadonlyMap<ByteString, ByteString> = new Map();

/** What the attributes of a file say. */
export interface RecordedAttributes {
  /** Those that belong to the image. */
  readonly attributes: ReadonlyMap<ByteString, ByteString>;
  /** Owner, mode and kind that are only recorded. */
  readonly override: OverriddenStat | undefined;
}

/**
 * Reads the extended attributes of something in a layer.
 * @param path for messages
 * @param parent,base the directory that it lies in, and its name there
 * @param file the file or directory itself, when it is open
 * @param lose is told of those that mean something to the union mount
 * @throws BunkerError `system_call_failed`; `layer_refused` where overlay keeps the content in another place
 */
export function readAttributes(
  path: ByteString,
  parent: number,
  base: ByteString,
  file: number | undefined,
  lose: Loss,
): RecordedAttributes {
  const names = file === undefined ? listAttributesAt(parent, base) : listAttributes(file);
  if (names === -Errno.EOPNOTSUPP || (typeof names === "number" && isGone(names))) {
    return { attributes: noAttributes, override: undefined };
  }
  if (typeof names === "number") {
    checkEntry(names, "list the attributes of", path);
    return { attributes: noAttributes, override: undefined };
  }
  const attributes = new Map<ByteString, ByteString>();
  let override: OverriddenStat | undefined;
  for (const name of names) {
    if (name === SELINUX_ATTRIBUTE) continue;
    if (FOREIGN_ATTRIBUTES.includes(name)) {
      throw refusedEntry(path, `it has the attribute ${name}: its content is in another place`);
    }
    const value = file === undefined ? getAttributeAt(parent, base, name) : getAttribute(file, name);
    if (typeof value === "number") {
      if (value !== -Errno.ENODATA) checkEntry(value, `read the attribute ${name} of`, path);
    } else if (name === OVERRIDE_STAT_ATTRIBUTE) {
      override = parseOverrideStat(value);
    } else if (!isReservedAttribute(name)) {
      attributes.set(name, value);
    } else if (name.startsWith("user.overlay.overlay.")) {
      // An overlay inside the container has set it, and the kernel has put it aside for that one.
      lose(`attribute ${name} is reserved for the union mount`, path);
    }
  }
  return { attributes, override };
}

/** The mode that was recorded, unless the real one has been changed since: then the container has meant that one. */
export function recordedMode(status: FileStatus, override: OverriddenStat): number {
  const real = status.mode & FileMode.permissions;
  const asStored = override.device === undefined ? storeOwnership(override, "single", "file").mode : 0;
  return real === asStored ? override.mode : real;
}
