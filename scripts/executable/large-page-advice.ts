/*
 * An executable that asks for its code in large pages.
 *
 * The kernel maps 2 MiB of a file at once where the page cache holds them in one piece (large-page-segments.ts). In such
 * pieces a file is there when it was written so, but not any more when it was dropped from memory, as by a restart: it is
 * read again as the read-ahead of its disk has it, by 128 KiB in most cases. A mapping that is advised to use large pages
 * (madvise(2), MADV_HUGEPAGE) is read by 2 MiB, which also takes less time than many small pieces do; file systems that
 * know no large pages read ahead as far. Where the kernel can gather small pages of files (CONFIG_READ_ONLY_THP_FOR_FS) it
 * does so for mappings that are advised.
 *
 * By the time that any code of ours could give that advice, what Bun starts with has been read. So it is given by a few
 * instructions behind the code, where the program is entered instead of at Bun's entry point, to which they jump. What the
 * advice is refused for, as by a kernel without large pages, does not matter.
 *
 * For x86-64, and for executables that lie in memory where they were linked to; Bun's does.
 */
import { Register, X86Assembler } from "../../src/launch/assembler/x86-64.ts";
import { MADV_HUGEPAGE } from "../../src/sys/huge-pages.ts";
import { systemCallNumber } from "../../src/sys/system-call-number.ts";
import {
  entryPoint,
  isElfForX86,
  isLinkedToAddress,
  loadedSegments,
  SEGMENT_EXECUTABLE,
  type Segment,
  setEntryPoint,
  writeSegment,
} from "./elf.ts";

const PAGE = 4096;
const CODE_ALIGNMENT = 16;
/** Instructions take addresses and sizes of 32 bits. */
const ADDRESSES_END = 2 ** 32;

const { rax, rdx, rsi, rdi, r8 } = Register;

/**
 * Has an executable advise the kernel to use large pages for its code, before anything else.
 *
 * @param file The whole of an ELF file, elf(5).
 * @returns Whether that was done. It is not where it is not certain that it can be: another processor, an executable that
 *   can lie anywhere, no single segment of code, no unused room behind it in its last page.
 */
export function adviseLargePages(file: Buffer): boolean {
  if (!isElfForX86(file) || !isLinkedToAddress(file)) return false;
  const segments = loadedSegments(file);
  const executable = segments.filter(({ flags }) => (flags & SEGMENT_EXECUTABLE) !== 0);
  const [code] = executable;
  if (!code || executable.length > 1 || code.fileSize !== code.memorySize) return false;
  const end = code.address + code.fileSize;
  const place = Math.ceil(end / CODE_ALIGNMENT) * CODE_ALIGNMENT;
  const instructions = adviceAt(place, code, entryPoint(file));
  const size = place + instructions.length - code.address;
  const room = file.subarray(code.offset + code.fileSize, code.offset + size);
  const isLastPage = Math.ceil(end / PAGE) === Math.ceil((code.address + size) / PAGE);
  const isInSegment = segments.some(({ offset }) => offset > code.offset && offset < code.offset + size);
  if (!isLastPage || isInSegment || code.address + size > ADDRESSES_END || !isUnused(room)) return false;
  file.set(instructions, code.offset + place - code.address);
  writeSegment(file, { ...code, fileSize: size, memorySize: size });
  setEntryPoint(file, place);
  return true;
}

/**
 * The instructions, for an address. When a program is entered, rsp and rdx mean something (System V Application Binary
 * Interface, AMD64 Architecture Processor Supplement, section 3.4.1); a system call destroys no register but rax, rcx and
 * r11.
 */
function adviceAt(address: number, code: Segment, entry: number): Uint8Array {
  const a = new X86Assembler();
  const start = Math.floor(code.address / PAGE) * PAGE;
  a.mov(r8, rdx);
  a.movImmediate(rdi, start);
  a.movImmediate(rsi, code.address + code.fileSize - start);
  a.movImmediate(rdx, MADV_HUGEPAGE);
  a.movImmediate(rax, systemCallNumber("madvise", "x86-64"));
  a.syscall();
  a.mov(rdx, r8);
  a.jmpLong({ position: entry - address });
  return a.finish();
}

/** Whether there is nothing but zeros. */
function isUnused(room: Buffer): boolean {
  return room.every((byte) => byte === 0);
}
