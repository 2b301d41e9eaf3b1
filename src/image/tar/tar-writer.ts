/*
 * Writing tar archives: the headers of an entry, the padding after its data, and the end. What goes between them is the
 * caller's, so an archive is made in a stream of any kind and is never held whole.
 *
 * The same entries give the same bytes, and the plain ustar header of POSIX.1-1988 is all there is where it can say
 * everything; only what it cannot say gets a pax header before it (pax(1)): names that do not fit, also not divided at a
 * slash; numbers beyond their octal fields; fractions of seconds; extended attributes (`SCHILY.xattr.NAME`, as every
 * engine reads them). Names are written as the bytes they are, as GNU tar does.
 *
 * Files with holes are written with their holes as zeros. The sparse forms of GNU tar would be smaller, but Go's tar
 * library, with which the other engines read layers, keeps the headers of such entries in other ways from version to
 * version (a layer could then not be put together again byte by byte from its unpacked form), and compressed, zeros
 * take hardly any space. Whoever unpacks a layer with Bunker gets the holes back.
 */
import type { ByteString } from "../../sys/byte-string.ts";
import type { Timestamp } from "../../sys/stat.ts";
import type { TarEntry, TarEntryType } from "./tar-entry.ts";
import { BLOCK_SIZE, type Field, HeaderField, TYPE_OFFSET } from "./tar-header.ts";

/** What an entry has to say; without access control lists in text form, which are attributes as well. */
export type WrittenEntry = Omit<TarEntry, "accessed" | "accessList" | "defaultList">;

const typeFlags: Readonly<Record<TarEntryType, string>> = {
  file: "0",
  "hard-link": "1",
  "symbolic-link": "2",
  "character-device": "3",
  "block-device": "4",
  directory: "5",
  fifo: "6",
};

const MAGIC_AND_VERSION = "ustar\x0000";
/** The largest numbers that the octal fields hold, each with a NUL at its end. */
const LARGEST_SHORT = 0o7777777;
const LARGEST_LONG = 0o77777777777;
/** The name of a pax header; it is only seen by readers that do not know it. */
const PAX_DIRECTORY = "PaxHeaders.0/";

/** What ends an archive. */
export function endOfArchive(): Buffer {
  return Buffer.alloc(2 * BLOCK_SIZE);
}

/** The zeros that fill the last block of `size` bytes of data; empty when it is full. */
export function paddingAfter(size: number): Buffer {
  return Buffer.alloc((BLOCK_SIZE - (size % BLOCK_SIZE)) % BLOCK_SIZE);
}

/**
 * The headers of an entry.
 * @param entry the name of a directory may end with a slash, and gets one otherwise. `size` bytes of data have to
 *   follow, then `paddingAfter(size)`
 */
export function entryHeaders(entry: WrittenEntry): Buffer {
  const isDirectory = entry.type === "directory" && !entry.name.endsWith("/");
  const name = (isDirectory ? `${entry.name}/` : entry.name) as ByteString;
  const place = divideName(name);
  const records: string[] = [];
  if (place === undefined) records.push(paxRecord("path", name));
  if (entry.linkName.length > HeaderField.linkName.length) records.push(paxRecord("linkpath", entry.linkName));
  if (entry.uid > LARGEST_SHORT) records.push(paxRecord("uid", String(entry.uid)));
  if (entry.gid > LARGEST_SHORT) records.push(paxRecord("gid", String(entry.gid)));
  if (entry.size > LARGEST_LONG) records.push(paxRecord("size", String(entry.size)));
  const { seconds, nanoseconds } = entry.modified;
  const isPlainTime = nanoseconds === 0 && seconds >= 0 && seconds <= LARGEST_LONG;
  if (!isPlainTime) records.push(paxRecord("mtime", formatPaxTime(entry.modified)));
  for (const attribute of [...entry.attributes.keys()].sort()) {
    records.push(paxRecord(`SCHILY.xattr.${attribute}`, entry.attributes.get(attribute) ?? ""));
  }

  const block = headerBlock(
    place ?? { prefix: "", name: name.slice(0, HeaderField.name.length) },
    typeFlags[entry.type],
    {
      mode: entry.mode,
      uid: entry.uid > LARGEST_SHORT ? 0 : entry.uid,
      gid: entry.gid > LARGEST_SHORT ? 0 : entry.gid,
      size: entry.size > LARGEST_LONG ? 0 : entry.size,
      modified: seconds >= 0 && seconds <= LARGEST_LONG ? seconds : 0,
      linkName: entry.linkName.slice(0, HeaderField.linkName.length),
      deviceMajor: entry.deviceMajor,
      deviceMinor: entry.deviceMinor,
    },
  );
  return records.length === 0 ? block : Buffer.concat([paxHeader(name, records.join("")), block]);
}

/** Finds the slash at which a name fits into the two fields for it; undefined when there is none. */
function divideName(name: ByteString): { readonly prefix: string; readonly name: string } | undefined {
  if (name.length <= HeaderField.name.length) return { prefix: "", name };
  // The slash itself is in neither; what follows must not be empty, and a directory's final slash stays with its name.
  const slash = name.lastIndexOf("/", Math.min(HeaderField.prefix.length, name.length - 2));
  if (slash <= 0 || name.length - slash - 1 > HeaderField.name.length) return undefined;
  return { prefix: name.slice(0, slash), name: name.slice(slash + 1) };
}

function paxHeader(name: ByteString, records: string): Buffer {
  const content = Buffer.from(records, "latin1");
  const base = name.replace(/\/+$/, "").replace(/^.*\//s, "");
  const shown = `${PAX_DIRECTORY}${base}`.slice(0, HeaderField.name.length);
  const block = headerBlock({ prefix: "", name: shown }, "x", {
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: content.length,
    modified: 0,
    linkName: "",
    deviceMajor: 0,
    deviceMinor: 0,
  });
  return Buffer.concat([block, content, paddingAfter(content.length)]);
}

/** `LENGTH KEYWORD=VALUE\n`, where the length counts its own digits. */
function paxRecord(keyword: string, value: string): string {
  const rest = ` ${keyword}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

/** Seconds with as many decimals as there are; times before 1970 are negative as a whole. */
function formatPaxTime({ seconds, nanoseconds }: Timestamp): string {
  if (nanoseconds === 0) return String(seconds);
  const [whole, fraction] = seconds >= 0 ? [seconds, nanoseconds] : [-seconds - 1, 1_000_000_000 - nanoseconds];
  return `${seconds < 0 ? "-" : ""}${whole}.${String(fraction).padStart(9, "0").replace(/0+$/, "")}`;
}

function headerBlock(
  place: { readonly prefix: string; readonly name: string },
  type: string,
  fields: Pick<WrittenEntry, "mode" | "uid" | "gid" | "size" | "deviceMajor" | "deviceMinor"> & {
    readonly modified: number;
    readonly linkName: string;
  },
): Buffer {
  const block = Buffer.alloc(BLOCK_SIZE);
  const putOctal = (value: number, { offset, length }: Field) =>
    block.write(value.toString(8).padStart(length - 1, "0"), offset, "latin1");
  block.write(place.name, HeaderField.name.offset, "latin1");
  block.write(place.prefix, HeaderField.prefix.offset, "latin1");
  putOctal(fields.mode, HeaderField.mode);
  putOctal(fields.uid, HeaderField.uid);
  putOctal(fields.gid, HeaderField.gid);
  putOctal(fields.size, HeaderField.size);
  putOctal(fields.modified, HeaderField.modified);
  block.write(type, TYPE_OFFSET, "latin1");
  block.write(fields.linkName, HeaderField.linkName.offset, "latin1");
  block.write(MAGIC_AND_VERSION, HeaderField.magic.offset, "latin1");
  putOctal(fields.deviceMajor, HeaderField.deviceMajor);
  putOctal(fields.deviceMinor, HeaderField.deviceMinor);
  const { offset, length } = HeaderField.checksum;
  block.fill(" ", offset, offset + length);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, offset, "latin1");
  return block;
}
