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
