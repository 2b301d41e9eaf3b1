/*
 * How overlayfs and fuse-overlayfs mark things inside a layer. Every overlay mount of Bunker uses the option
 * `userxattr`, as root too, so the attributes are always those of the namespace `user.`.
 *
 * A name that hides one in the layers below (a whiteout) is a character device 0/0. A directory that hides the content
 * of its namesakes below is opaque. `override_stat` records an owner, mode or type that a file cannot really have.
 */
import type { ByteString } from "../sys/byte-string.ts";

export const OPAQUE_ATTRIBUTE = "user.overlay.opaque" as ByteString;
export const OPAQUE_VALUE = "y" as ByteString;
export const OVERRIDE_STAT_ATTRIBUTE = "user.containers.override_stat" as ByteString;

const reservedPrefixes = [
  "user.overlay.",
  "trusted.overlay.",
  "user.fuseoverlayfs.",
  "security.fuseoverlayfs.",
  "user.containers.override_",
];

/** Whether an attribute has a meaning for the union mount, so that foreign content must not bring it along. */
export function isReservedAttribute(name: ByteString): boolean {
  return reservedPrefixes.some((prefix) => name.startsWith(prefix));
}

/**
 * The value of `OVERRIDE_STAT_ATTRIBUTE`.
 * @param mode permissions only
 * @param type `file`, `dir`, `char-MAJOR-MINOR` or `block-MAJOR-MINOR`
 */
export function overrideStatValue(uid: number, gid: number, mode: number, type: string): ByteString {
  return `${uid}:${gid}:${mode.toString(8).padStart(4, "0")}:${type}` as ByteString;
}

/** What an `OVERRIDE_STAT_ATTRIBUTE` records. */
export interface OverriddenStat {
  readonly uid: number;
  readonly gid: number;
  /** Permissions only. */
  readonly mode: number;
  /** The device that the file stands for; undefined for everything else. */
  readonly device: { readonly isCharacter: boolean; readonly major: number; readonly minor: number } | undefined;
}

/** Reads the value of an `OVERRIDE_STAT_ATTRIBUTE`; undefined when it is not of its form. */
export function parseOverrideStat(value: ByteString): OverriddenStat | undefined {
  const match = /^([0-9]{1,10}):([0-9]{1,10}):([0-7]{1,6})(?::(.*))?$/.exec(value);
  if (match === null) return undefined;
  const [, uid, gid, mode = "", type = ""] = match;
  const device = /^(char|block)-([0-9]{1,10})-([0-9]{1,10})$/.exec(type);
  return {
    uid: Number(uid),
    gid: Number(gid),
    mode: Number.parseInt(mode, 8) & 0o7777,
    device:
      device === null
        ? undefined
        : { isCharacter: device[1] === "char", major: Number(device[2]), minor: Number(device[3]) },
  };
}
