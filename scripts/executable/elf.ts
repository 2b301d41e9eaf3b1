/*
 * What the build reads and changes of an executable, elf(5): 64 bits, little-endian, x86-64.
 */

const TYPE_EXECUTABLE = 2;
const MACHINE_X86_64 = 62;
const PROGRAM_HEADER_SIZE = 56;
const SECTION_HEADER_SIZE = 64;

/** Fields of the file's header: where the program is entered, and where the tables of program and section headers stand. */
const ENTRY = 24;
const PROGRAM_HEADERS = 32;
const SECTION_HEADERS = 40;

/** Types of segments that are told apart. */
export const SEGMENT_UNUSED = 0;
const SEGMENT_LOAD = 1;

/** Bits of a segment's flags. */
export const SEGMENT_EXECUTABLE = 1;
export const SEGMENT_WRITABLE = 2;

/** A part of the file, and where it lies in memory. */
export interface Segment {
  /** Where its header stands in the file. */
  readonly header: number;
  readonly type: number;
  readonly flags: number;
  /** Where it begins in the file. */
  readonly offset: number;
  /** Where it begins in memory. */
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
  /** `offset` and `address` are the same modulo this number of bytes. */
  readonly alignment: number;
}

/** Whether a file is an executable for x86-64. */
export function isElfForX86(file: Buffer): boolean {
  return (
    file.subarray(0, 6).equals(Buffer.from("\x7fELF\x02\x01", "latin1")) && file.readUInt16LE(18) === MACHINE_X86_64
  );
}

/** Whether an executable can lie in memory nowhere else than where it was linked to. */
export function isLinkedToAddress(file: Buffer): boolean {
  return file.readUInt16LE(16) === TYPE_EXECUTABLE;
}

/** The address of the instruction that a program begins with. */
export function entryPoint(file: Buffer): number {
  return readNumber(file, ENTRY);
}

/** Has a program begin with the instruction at another address. */
export function setEntryPoint(file: Buffer, address: number): void {
  writeNumber(file, ENTRY, address);
}

/** The segments that are loaded, in the order of their headers, which is that of their addresses. */
export function loadedSegments(file: Buffer): readonly Segment[] {
  const segments = headersOf(file, PROGRAM_HEADERS, 56, PROGRAM_HEADER_SIZE).map((header) => ({
    header,
    type: file.readUInt32LE(header),
    flags: file.readUInt32LE(header + 4),
    offset: readNumber(file, header + 8),
    address: readNumber(file, header + 16),
    fileSize: readNumber(file, header + 32),
    memorySize: readNumber(file, header + 40),
    alignment: readNumber(file, header + 48),
  }));
  return segments.filter(({ type }) => type === SEGMENT_LOAD);
}

/** Writes a segment's header anew; its address stays as it is. */
export function writeSegment(file: Buffer, segment: Segment): void {
  file.writeUInt32LE(segment.type, segment.header);
  file.writeUInt32LE(segment.flags, segment.header + 4);
  writeNumber(file, segment.header + 8, segment.offset);
  writeNumber(file, segment.header + 32, segment.fileSize);
  writeNumber(file, segment.header + 40, segment.memorySize);
  writeNumber(file, segment.header + 48, segment.alignment);
}

/** Where in the file the 8 bytes stand that tell where in the file something else stands: all of them. */
export function fileOffsetFields(file: Buffer): readonly number[] {
  return [
    PROGRAM_HEADERS,
    SECTION_HEADERS,
    ...headersOf(file, PROGRAM_HEADERS, 56, PROGRAM_HEADER_SIZE).map((header) => header + 8),
    ...headersOf(file, SECTION_HEADERS, 60, SECTION_HEADER_SIZE).map((header) => header + 24),
  ];
}

/** Where the headers of a table stand, by the fields of the file's header that tell its place and how many they are. */
function headersOf(file: Buffer, tableField: number, countField: number, size: number): readonly number[] {
  const table = readNumber(file, tableField);
  return Array.from({ length: file.readUInt16LE(countField) }, (_, index) => table + index * size);
}

/** Reads an unsigned number of 8 bytes. */
export function readNumber(file: Buffer, at: number): number {
  return Number(file.readBigUInt64LE(at));
}

/** Writes an unsigned number of 8 bytes. */
export function writeNumber(file: Buffer, at: number, value: number): void {
  file.writeBigUInt64LE(BigInt(value), at);
}
