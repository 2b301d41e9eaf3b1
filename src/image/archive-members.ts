import { readSync } from "node:fs";
import { posix } from "node:path";
import { type ByteString, encodeText } from "../sys/byte-string.ts";
import { BunkerError } from "../sys/error.ts";
import { type BlobLocation, type BlobPart, openFile } from "./blob.ts";
import { detectCompression } from "./compression.ts";
import type { Segment } from "./tar/sparse-map.ts";
import type { TarEntry } from "./tar/tar-entry.ts";
import { archiveError } from "./tar/tar-error.ts";
import { TarReader } from "./tar/tar-reader.ts";

/** Header bytes that are read at once; most entries of an image's archive are followed by much data. */
const WINDOW_SIZE = 4096;
/** Links from member to member that are followed. */
const MAXIMUM_LINKS = 10;

/** The members of a tar archive by name. */
export interface ArchiveMembers {
  /**
   * Finds the bytes of a member; links to other members are followed.
   * @param name without `./` before it
   * @throws BunkerError `archive_invalid` when they go in a circle
   */
  find(name: string): BlobLocation | undefined;
}

/**
 * Reads the headers of an archive, not its data.
 * @param name what it is, for messages
 * @throws BunkerError `archive_invalid`, `image_not_found`, `image_unreadable`, `archive_compressed`
 */
export function readArchiveMembers(path: string, name: string): ArchiveMembers {
  using file = openFile(path, name);
  const members = new Map<ByteString, BlobLocation | { readonly target: ByteString }>();
  const add = (entry: TarEntry, stored: number, segments: readonly Segment[]) => {
    const member = normalise(entry.name);
    if (entry.type === "file") {
      const location = { path, offset: reader.position, size: entry.size };
      const hasHoles = stored < entry.size;
      members.set(member, hasHoles ? { ...location, parts: partsOf(segments, reader.position) } : location);
    } else if (entry.type === "hard-link") members.set(member, { target: normalise(entry.linkName) });
    else if (entry.type === "symbolic-link") {
      members.set(member, { target: normalise(posix.join(posix.dirname(member), entry.linkName) as ByteString) });
    }
  };
  const reader = new TarReader({ entry: add, data: () => {}, end: () => {} });
  const window = Buffer.allocUnsafe(WINDOW_SIZE);
  try {
    for (let first = true; ; first = false) {
      const length = readSync(file.descriptor, window, 0, WINDOW_SIZE, reader.position);
      if (length === 0) break;
      const bytes = window.subarray(0, length);
      if (first) refuseCompression(bytes, name);
      reader.feed(bytes);
      reader.skip();
      if (reader.position > file.size) throw archiveError("it is truncated");
    }
    reader.finish();
  } catch (cause) {
    if (!(cause instanceof BunkerError) || cause.code !== "archive_invalid") throw cause;
    throw new BunkerError({ code: cause.code, operation: "read", object: name, reason: cause.message }, { cause });
  }
  return {
    find: (wanted) => {
      let member = encodeText(wanted) as ByteString;
      for (let links = 0; links <= MAXIMUM_LINKS; links++) {
        const found = members.get(member);
        if (found === undefined || "path" in found) return found;
        member = found.target;
      }
      throw archiveError("its links go in a circle", encodeText(wanted));
    },
  };
}

function normalise(name: ByteString): ByteString {
  return posix.normalize(name).replace(/^\/+/, "").replace(/\/+$/, "") as ByteString;
}

/** Where the parts of a member with holes are, which lie one after the other. */
function partsOf(segments: readonly Segment[], begin: number): readonly BlobPart[] {
  const parts: BlobPart[] = [];
  let offset = begin;
  for (const { offset: start, length } of segments) {
    if (length > 0) parts.push({ start, length, offset });
    offset += length;
  }
  return parts;
}

function refuseCompression(bytes: Buffer, name: string): void {
  const program = detectCompression(bytes);
  if (program === undefined) return;
  throw new BunkerError({
    code: "archive_compressed",
    operation: "read",
    object: name,
    reason: `it is compressed with ${program}, and an image is read from places all over its archive`,
    hint: `Decompress it first: ${program} -d.`,
  });
}
