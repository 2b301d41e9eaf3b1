/*
 * From the headers of one entry to a `TarEntry`: the block itself, the GNU long names before it, and pax records, which
 * override both; pax(1), and "Extensions to the tar format" of the GNU tar manual.
 */
import type { ByteString } from "../../sys/byte-string.ts";
import { withoutSlowestCompiler } from "../../sys/without-slowest-compiler.ts";
import { type PaxRecord, parsePaxTime, parsePaxUnsigned } from "./pax-records.ts";
import { readOldRealSize, type Segment, segmentsOf } from "./sparse-map.ts";
import type { TarEntry, TarEntryType } from "./tar-entry.ts";
import { archiveError } from "./tar-error.ts";
import { HeaderField, readName, readNumber, readText, readUnsigned, typeFlag } from "./tar-header.ts";

/** What the extension headers before an entry say. */
export interface Extensions {
  readonly records: readonly PaxRecord[];
  readonly longName: ByteString | undefined;
  readonly longLinkName: ByteString | undefined;
}

/** An entry and how its data lies in the archive. */
export interface EntryHeaders {
  readonly entry: TarEntry;
  /** Bytes of data in the archive, a map in text form included, whether or not they belong to the entry. */
  readonly stored: number;
  /** For a file with holes: its parts, or the form of the map that is still to come. */
  readonly sparse: readonly Segment[] | "old-map-follows" | "text-map-follows" | undefined;
}

const entryTypes: Readonly<Record<string, TarEntryType>> = {
  "0": "file",
  "1": "hard-link",
  "2": "symbolic-link",
  "3": "character-device",
  "4": "block-device",
  "5": "directory",
  "6": "fifo",
  // A contiguous file, and an old GNU file with holes.
  "7": "file",
  S: "file",
};

const ATTRIBUTE_PREFIX = "SCHILY.xattr.";
const LARGEST_ID = 0xffff_fffe;
const noAttributes: ReadonlyMap<ByteString, ByteString> = new Map();
const noRecords: ReadonlyMap<string, ByteString> = new Map();

/**
 * Puts the headers of an entry together.
 * @param block its header block, of which the checksum is right
 * @throws BunkerError `archive_invalid`
 */
export function readEntryHeaders(block: Buffer, extensions: Extensions): EntryHeaders {
  const records = extensions.records.length === 0 ? noRecords : lastValues(extensions.records);
  const name = records.get("GNU.sparse.name") ?? records.get("path") ?? extensions.longName ?? readName(block);
  const linkName = records.get("linkpath") ?? extensions.longLinkName ?? readText(block, HeaderField.linkName);
  if (name.includes("\0") || linkName.includes("\0")) throw archiveError("a name contains a NUL byte", name);

  const flag = typeFlag(block);
  let type = entryTypes[flag];
  if (type === undefined) throw archiveError(`entries of type ${JSON.stringify(flag)} are not supported`, name);
  const isDevice = type === "character-device" || type === "block-device";
  const paxSize = records.get("size");
  // Only files have data: some writers state the size of a hard link's target, without its data.
  const stored =
    type !== "file" ? 0 : paxSize === undefined ? readUnsigned(block, HeaderField.size) : parsePaxUnsigned(paxSize);
  // Before there was a type for directories, a slash at the end marked them; what data there is belongs to nothing.
  if (type === "file" && name.endsWith("/")) type = "directory";
  const isFile = type === "file";
  const sparse = isFile ? readSparse(flag, records, extensions.records) : undefined;
  const modified = records.get("mtime");
  const accessed = records.get("atime");
  return {
    entry: {
      type,
      name,
      linkName,
      mode: readNumber(block, HeaderField.mode) & 0o7777,
      uid: readId(block, HeaderField.uid, records.get("uid"), name),
      gid: readId(block, HeaderField.gid, records.get("gid"), name),
      size: !isFile ? 0 : sparse === undefined ? stored : readRealSize(block, flag, records),
      modified:
        modified === undefined
          ? { seconds: readNumber(block, HeaderField.modified), nanoseconds: 0 }
          : parsePaxTime(modified),
      accessed: accessed === undefined ? undefined : parsePaxTime(accessed),
      deviceMajor: isDevice ? readUnsigned(block, HeaderField.deviceMajor) : 0,
      deviceMinor: isDevice ? readUnsigned(block, HeaderField.deviceMinor) : 0,
      attributes: records === noRecords ? noAttributes : readAttributes(records),
      accessList: records.get("SCHILY.acl.access"),
      defaultList: records.get("SCHILY.acl.default"),
    },
    stored,
    sparse,
  };
}

/** The last value of each keyword; an empty value takes the keyword back. */
function lastValues(records: readonly PaxRecord[]): Map<string, ByteString> {
  const values = new Map<string, ByteString>();
  for (const [keyword, value] of records) {
    if (value === "" && !keyword.startsWith(ATTRIBUTE_PREFIX)) values.delete(keyword);
    else values.set(keyword, value);
  }
  return values;
}

function readId(
  block: Buffer,
  where: typeof HeaderField.uid,
  record: ByteString | undefined,
  name: ByteString,
): number {
  const id = record === undefined ? readUnsigned(block, where) : parsePaxUnsigned(record);
  // The number after the largest means "leave it" to chown(2).
  if (id > LARGEST_ID) throw archiveError(`owner ${id} is no user or group id`, name);
  return id;
}

function readAttributes(records: ReadonlyMap<string, ByteString>): Map<ByteString, ByteString> {
  const attributes = new Map<ByteString, ByteString>();
  for (const [keyword, value] of records) {
    if (keyword.startsWith(ATTRIBUTE_PREFIX))
      attributes.set(keyword.slice(ATTRIBUTE_PREFIX.length) as ByteString, value);
  }
  return attributes;
}

function readSparse(
  flag: string,
  records: ReadonlyMap<string, ByteString>,
  ordered: readonly PaxRecord[],
): EntryHeaders["sparse"] {
  if (flag === "S") return "old-map-follows";
  if (records === noRecords) return undefined;
  if (records.get("GNU.sparse.major") === "1") return "text-map-follows";
  const map = records.get("GNU.sparse.map");
  if (map !== undefined) return segmentsOf(map.split(",").map(parsePaxUnsigned));
  if (!records.has("GNU.sparse.numblocks")) return undefined;
  const numbers = ordered.filter(([keyword]) => keyword === "GNU.sparse.offset" || keyword === "GNU.sparse.numbytes");
  return segmentsOf(numbers.map(([, value]) => parsePaxUnsigned(value)));
}

function readRealSize(block: Buffer, flag: string, records: ReadonlyMap<string, ByteString>): number {
  const record = records.get("GNU.sparse.realsize") ?? records.get("GNU.sparse.size");
  if (record !== undefined) return parsePaxUnsigned(record);
  if (flag !== "S") throw archiveError("a sparse file has no size");
  return readOldRealSize(block);
}

// Called for every entry of an archive.
withoutSlowestCompiler(readId);
