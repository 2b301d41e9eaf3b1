/*
 * Lets a compiled executable have its memory in large pages.
 *
 * Half of the page faults of a short command are for memory of Bun's allocator, mimalloc, which takes it from one mapping
 * of a gigabyte. Its option `allow_thp` makes it advise the kernel to back that mapping by large pages (madvise(2),
 * MADV_HUGEPAGE): a handful of faults takes the place of more than a thousand. But Bun sets it to 0, mimalloc reads its
 * options from the environment before any code of ours has run, and a program cannot choose the environment that it is
 * started with. So the default is changed where it stands, in the table of options in the executable's data:
 *
 *   struct mi_option_desc_t { long value; int initialised; int option; const char *name; const char *legacy_name; }
 *
 * The environment goes on to decide where it names the option (`MIMALLOC_ALLOW_THP=0`), as it does for processes that live
 * for long (sys/own-command.ts): those would have more memory than they need.
 *
 * For x86-64 alone: a large page is 2 MiB there, but on arm64 32 or 512 MiB where the kernel's pages are of 16 or 64 KiB.
 */

const OPTION_NAME = "\0allow_thp\0";
const INITIALISED = 8;
const NAME = 16;

const MACHINE_X86_64 = 62;
const SEGMENT_LOAD = 1;
const PROGRAM_HEADER_SIZE = 56;

/** A part of the file and where it lies in memory. */
interface Segment {
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/**
 * Where the option's value stands in an executable.
 *
 * @param file An ELF file, elf(5).
 * @returns The offset of the value's eight bytes in the file, or undefined where there is nothing to change: another
 *   processor, an allocator without the option, or more than one table that could be meant.
 */
export function largePagesOption(file: Buffer): number | undefined {
  if (!file.subarray(0, 5).equals(Buffer.from("\x7fELF\x02", "latin1")) || file.readUInt16LE(18) !== MACHINE_X86_64) {
    return undefined;
  }
  const segments = loadedSegments(file);
  const found: number[] = [];
  for (const name of occurrences(file, Buffer.from(OPTION_NAME, "latin1"))) {
    const address = addressOf(segments, name + 1);
    if (address === undefined) continue;
    const pointer = Buffer.alloc(8);
    pointer.writeBigUInt64LE(BigInt(address));
    for (const reference of occurrences(file, pointer)) {
      const value = reference - NAME;
      // Only one of two numbers is the default: it must be off, and not have been read from the environment yet.
      if (value < 0 || file.readBigInt64LE(value) !== 0n || file.readInt32LE(value + INITIALISED) !== 0) continue;
      found.push(value);
    }
  }
  return found.length === 1 ? found[0] : undefined;
}

function loadedSegments(file: Buffer): readonly Segment[] {
  const table = Number(file.readBigUInt64LE(32));
  const headers = Array.from({ length: file.readUInt16LE(56) }, (_, index) => table + index * PROGRAM_HEADER_SIZE);
  return headers
    .filter((header) => file.readUInt32LE(header) === SEGMENT_LOAD)
    .map((header) => ({
      offset: Number(file.readBigUInt64LE(header + 8)),
      address: Number(file.readBigUInt64LE(header + 16)),
      size: Number(file.readBigUInt64LE(header + 32)),
    }));
}

function addressOf(segments: readonly Segment[], offset: number): number | undefined {
  const segment = segments.find((part) => offset >= part.offset && offset < part.offset + part.size);
  return segment && segment.address + offset - segment.offset;
}

function occurrences(file: Buffer, bytes: Buffer): readonly number[] {
  const found: number[] = [];
  for (let at = file.indexOf(bytes); at !== -1; at = file.indexOf(bytes, at + 1)) found.push(at);
  return found;
}
