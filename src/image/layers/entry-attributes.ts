import { isReservedAttribute } from "../../mount/overlay-attributes.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import type { TarEntry } from "../tar/tar-entry.ts";
import { ACCESS_LIST_ATTRIBUTE, DEFAULT_LIST_ATTRIBUTE, encodeAccessList } from "./posix-acl.ts";
import { checkEntry } from "./unpack-error.ts";

/** Something about an entry that cannot be kept; the entry itself can. */
export type Loss = (reason: string, path: ByteString) => void;

/** The labels of SELinux are the host's affair: what an image states was true on another host. */
export const SELINUX_ATTRIBUTE = "security.selinux" as ByteString;

/** Whether `setEntryAttributes` has anything to do. */
export function hasEntryAttributes({ attributes, accessList, defaultList }: TarEntry): boolean {
  if (accessList !== undefined || defaultList !== undefined) return true;
  return attributes.size > 1 || (attributes.size === 1 && !attributes.has(SELINUX_ATTRIBUTE));
}

/**
 * Sets the extended attributes and access control lists of an entry.
 * @param path for messages
 * @param set sets one attribute; its result is the kernel's
 * @param lose is told of what the file system or the kernel does not permit
 * @throws BunkerError `system_call_failed`, `no_space`
 */
export function setEntryAttributes(
  entry: TarEntry,
  path: ByteString,
  set: (name: ByteString, value: ByteString) => number,
  lose: Loss,
): void {
  const setOrLose = (name: ByteString, value: ByteString) => {
    const result = set(name, value);
    if (result === -Errno.EPERM || result === -Errno.EOPNOTSUPP) lose(`attribute ${name} is not permitted`, path);
    else checkEntry(result, `set the attribute ${JSON.stringify(name)} of`, path);
  };
  for (const [name, value] of entry.attributes) {
    if (name === SELINUX_ATTRIBUTE) continue;
    if (isReservedAttribute(name)) lose(`attribute ${name} is reserved for the union mount`, path);
    else setOrLose(name, value);
  }
  const lists = [
    [ACCESS_LIST_ATTRIBUTE, entry.accessList],
    // It says what new files in a directory get, and nothing else can have one.
    [DEFAULT_LIST_ATTRIBUTE, entry.type === "directory" ? entry.defaultList : undefined],
  ] as const;
  for (const [name, text] of lists) {
    if (text === undefined || entry.attributes.has(name)) continue;
    const value = encodeAccessList(text);
    if (value === undefined) lose("its access control list is not numeric", path);
    else setOrLose(name, value);
  }
}
