/*
 * Options of the allocator that a compiled executable begins with.
 *
 * Bun's allocator, mimalloc, takes memory from one mapping of a gigabyte. Half of the page faults of a short command, and
 * more of a pull, are for pages of it that are touched for the first time, or again after they were given back:
 *
 *   `allow_thp` 1 has it advise the kernel to back the mapping by large pages (madvise(2), MADV_HUGEPAGE): a handful of
 *     faults takes the place of more than a thousand. Bun's default is 0.
 *   `purge_delay` -1 keeps what was freed for the next who wants memory. Bun's default gives it back after 100 ms, and
 *     whole large pages with it, to fault it in again a moment later.
 *
 * mimalloc reads its options from the environment before any code of ours has run, and a program cannot choose the
 * environment that it is started with. So the defaults are changed where they stand, in a table of the executable's data:
 *
 *   struct mi_option_desc_t { long value; int initialised; int option; const char *name; const char *legacy_name; }
 *
 * The environment goes on to decide where it names an option (`MIMALLOC_ALLOW_THP=0`), as it does for processes that live
 * for long (sys/own-command.ts): those would have more memory than they need.
 *
 * For x86-64 alone: a large page is 2 MiB there, but on arm64 32 or 512 MiB where the kernel's pages are of 16 or 64 KiB.
 */
import { isElfForX86, loadedSegments, type Segment } from "./elf.ts";

/** An option, the default that Bun gives it, and ours. */
interface AllocatorOption {
  readonly name: string;
  readonly from: bigint;
  readonly to: bigint;
}

/** What the executable's options are to be. */
const ALLOCATOR_OPTIONS: readonly AllocatorOption[] = [
  { name: "allow_thp", from: 0n, to: 1n },
  { name: "purge_delay", from: 100n, to: -1n },
];

const INITIALISED = 8;
const NAME = 16;

/**
 * Changes the defaults in an executable: all of them, or none.
 *
 * @param file The whole of an ELF file, elf(5).
 * @returns Whether that was done. It is not where it is not certain what to change: another processor, an allocator
 *   without such an option or with another default, more than one table that could be meant.
 */
export function setAllocatorOptions(file: Buffer): boolean {
  if (!isElfForX86(file)) return false;
  const segments = loadedSegments(file);
  const places = ALLOCATOR_OPTIONS.map((option) => placeOf(file, segments, option));
  if (places.includes(undefined)) return false;
  for (const [index, { to }] of ALLOCATOR_OPTIONS.entries()) file.writeBigInt64LE(to, places[index]);
  return true;
}

/** The offset of an option's value; undefined unless there is exactly one such option, with that default. */
function placeOf(file: Buffer, segments: readonly Segment[], { name, from }: AllocatorOption): number | undefined {
  const found: number[] = [];
  for (const before of occurrences(file, Buffer.from(`\0${name}\0`, "latin1"))) {
    const address = addressOf(segments, before + 1);
    if (address === undefined) continue;
    const pointer = Buffer.alloc(8);
    pointer.writeBigUInt64LE(BigInt(address));
    for (const reference of occurrences(file, pointer)) {
      const value = reference - NAME;
      if (value < 0 || file.readBigInt64LE(value) !== from || file.readInt32LE(value + INITIALISED) !== 0) continue;
      found.push(value);
    }
  }
  return found.length === 1 ? found[0] : undefined;
}

function addressOf(segments: readonly Segment[], offset: number): number | undefined {
  const segment = segments.find((part) => offset >= part.offset && offset < part.offset + part.fileSize);
  return segment && segment.address + offset - segment.offset;
}

function occurrences(file: Buffer, bytes: Buffer): readonly number[] {
  const found: number[] = [];
  for (let at = file.indexOf(bytes); at !== -1; at = file.indexOf(bytes, at + 1)) found.push(at);
  return found;
}
