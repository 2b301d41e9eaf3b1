/*
 * An executable that the kernel can map in large pages.
 *
 * A command touches code and constants all over the 100 MB that Bun has of them. The kernel maps 64 KiB of them by each
 * page fault, and the processor walks its tables again for each 4 KiB. Where the page cache holds a file in large pages
 * (tmpfs mounted so; XFS, and ext4 since Linux 6.16, what was written by large writes), 2 MiB are mapped at once, if these
 * begin at a multiple of 2 MiB in memory and in the file alike. Bun's linker has only seen to 4 KiB. So parts of the file
 * are moved on, by zeros in front of each. Where they lie in memory stays the same, and with it the code. (A linker does
 * that by `-z max-page-size=0x200000`.)
 *
 *           file, before              file, after             memory
 *   R              0 .. 0x1838764            0 .. 0x6649c90   0x0200000 .. 0x6849c90
 *   R X    0x1838d00 .. 0x6641c90
 *   R W    0x6641c90 .. 0x7f25000    0x664ac90 .. 0x7f2e000   0x684ac90 .. 0x812e000
 *
 * Constants and code become one segment. The boundary between them is not one of large pages, and what is executed most
 * while a process starts happens to stand in the 2 MiB around it. That constants can be executed thereby (lld's
 * `--no-rosegment`; all linkers did so until 2018) gives nothing away in a program that compiles JavaScript into memory
 * that is writable and executable.
 *
 * What was compiled into the executable is found by its address in memory. Else only the headers and the table of sections
 * tell where in the file something is.
 */
import {
  fileOffsetFields,
  isElfForX86,
  loadedSegments,
  readNumber,
  SEGMENT_EXECUTABLE,
  SEGMENT_UNUSED,
  SEGMENT_WRITABLE,
  writeNumber,
  writeSegment,
} from "./elf.ts";

/** Of x86-64, in bytes. */
const LARGE_PAGE = 0x200000;

/** What stands in the file from one place to the next, and by how many bytes it moves on. */
interface Part {
  readonly from: number;
  readonly to: number;
  readonly by: number;
}

/**
 * Moves the segments of an executable in its file so that each stands at its address modulo the size of a large page.
 *
 * @param file The whole of an ELF file, elf(5). It is not changed.
 * @returns The new file; undefined where that would be another program, or might be: of another processor, without
 *   segments, with some that lie in memory in another order than in the file.
 */
export function alignToLargePages(file: Buffer): Buffer | undefined {
  if (!isElfForX86(file)) return undefined;
  const parts = partsOf(file);
  if (parts === undefined) return undefined;
  const moved = (offset: number) => offset + (parts.findLast(({ from }) => offset >= from)?.by ?? 0);

  // Memory that is there. What the kernel had yet to give, it could not take in one piece with the rest when this is written.
  const aligned = Buffer.allocUnsafe(moved(file.length)).fill(0);
  for (const { from, to, by } of parts) file.copy(aligned, from + by, from, to);
  for (const field of fileOffsetFields(file)) writeNumber(aligned, moved(field), moved(readNumber(file, field)));
  for (const segment of loadedSegments(aligned)) writeSegment(aligned, { ...segment, alignment: LARGE_PAGE });
  joinConstantsToCode(aligned);
  return aligned;
}

/** The file, cut where a loaded segment begins. */
function partsOf(file: Buffer): readonly Part[] | undefined {
  const segments = loadedSegments(file);
  const parts: Part[] = [];
  let by = 0;
  for (const [index, { offset, address, fileSize, memorySize }] of segments.entries()) {
    const next = segments[index + 1];
    if (index === 0 && offset !== 0) return undefined;
    if (next && (next.offset < offset + fileSize || next.address < address + memorySize)) return undefined;
    by += modulo(address - offset - by, LARGE_PAGE);
    parts.push({ from: offset, to: next?.offset ?? file.length, by });
  }
  return parts.length > 0 ? parts : undefined;
}

/** Makes one segment of the first two, if these are constants and code, and lie in memory as in the file. */
function joinConstantsToCode(file: Buffer): void {
  const [constants, code] = loadedSegments(file);
  if (!constants || !code) return;
  const distance = code.address - constants.address;
  const areJoined =
    ((constants.flags | code.flags) & SEGMENT_WRITABLE) === 0 &&
    (code.flags & SEGMENT_EXECUTABLE) !== 0 &&
    code.offset - constants.offset === distance &&
    constants.memorySize === constants.fileSize &&
    code.memorySize === code.fileSize;
  if (!areJoined) return;
  const size = distance + code.fileSize;
  writeSegment(file, { ...constants, flags: constants.flags | code.flags, fileSize: size, memorySize: size });
  writeSegment(file, { ...code, type: SEGMENT_UNUSED });
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
