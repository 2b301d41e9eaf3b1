/*
 * POSIX access control lists: from the text that GNU tar and star put into archives (`user::rw-,user:1000:r--,…`;
 * acl(5)) to the value of the extended attributes system.posix_acl_access and system.posix_acl_default (a version,
 * then tag, permissions and id of each entry; linux/posix_acl_xattr.h).
 */
import { type ByteString, byteStringOf } from "../../sys/byte-string.ts";

export const ACCESS_LIST_ATTRIBUTE = "system.posix_acl_access" as ByteString;
export const DEFAULT_LIST_ATTRIBUTE = "system.posix_acl_default" as ByteString;

const VERSION = 2;
const UNDEFINED_ID = 0xffff_ffff;
const Tag = { userOwner: 0x01, user: 0x02, groupOwner: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const;

interface Entry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

/**
 * Converts a list.
 * @returns undefined when the text is no list of entries with numeric ids: names mean nothing outside their machine
 */
export function encodeAccessList(text: ByteString): ByteString | undefined {
  const entries: Entry[] = [];
  for (const line of text.split(/[,\n]/)) {
    const written = line.replace(/#.*/, "").trim();
    if (written === "") continue;
    const entry = parseEntry(written);
    if (entry === undefined) return undefined;
    entries.push(entry);
  }
  // The kernel demands this order.
  entries.sort((one, other) => one.tag - other.tag || one.id - other.id);
  const value = Buffer.alloc(4 + entries.length * 8);
  value.writeUInt32LE(VERSION, 0);
  entries.forEach(({ tag, permissions, id }, index) => {
    value.writeUInt16LE(tag, 4 + index * 8);
    value.writeUInt16LE(permissions, 6 + index * 8);
    value.writeUInt32LE(id, 8 + index * 8);
  });
  return byteStringOf(value);
}

function parseEntry(text: string): Entry | undefined {
  // star adds the number after the permissions when the qualifier is a name.
  const match = /^(u|user|g|group|m|mask|o|other):([^:]*):([r-])([w-])([x-])(?::([0-9]{1,10}))?$/.exec(text);
  if (match === null) return undefined;
  const [, kind = "", qualifier = "", read, write, execute, number] = match;
  const permissions = (read === "r" ? 4 : 0) | (write === "w" ? 2 : 0) | (execute === "x" ? 1 : 0);
  const letter = kind.charAt(0);
  if (qualifier === "") {
    const tags: Readonly<Record<string, number>> = {
      u: Tag.userOwner,
      g: Tag.groupOwner,
      m: Tag.mask,
      o: Tag.other,
    };
    return { tag: tags[letter] ?? Tag.other, permissions, id: UNDEFINED_ID };
  }
  const id = number ?? (/^[0-9]{1,10}$/.test(qualifier) ? qualifier : undefined);
  if (id === undefined || Number(id) >= UNDEFINED_ID || (letter !== "u" && letter !== "g")) return undefined;
  return { tag: letter === "u" ? Tag.user : Tag.group, permissions, id: Number(id) };
}
