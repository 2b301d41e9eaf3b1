/*
 * A launch program as an executable file: the interpreter and its table of operations as a complete static ELF file
 * (elf(5)), which needs nothing but the kernel.
 *
 *   file, mapped read-only and executable at FILE_ADDRESS: ELF header, program headers, interpreter, operations
 *   memory without file at VARIABLES_ADDRESS, all zero:    slots, then VARIABLES_BUFFER_SIZE bytes for structures
 *
 * The addresses are fixed, so operations can name them as numbers. The segments lie 64 KiB apart, because arm64
 * kernels may have pages of that size.
 */
import type { Architecture } from "../sys/architecture.ts";
import { setInteger64 } from "../sys/integer64.ts";
import { systemCallNumber } from "../sys/system-call-number.ts";
import { emitInterpreter } from "./interpreter/emit.ts";
import { SLOTS_SIZE, type Slot } from "./operation.ts";
import type { OperationTable } from "./operation-table.ts";

const SEGMENT_ALIGNMENT = 0x10000;
const FILE_ADDRESS = 0x400000;
/** Where the slots of a program file are: give it to its `OperationTable`. */
export const VARIABLES_ADDRESS = FILE_ADDRESS + SEGMENT_ALIGNMENT;
/** Zeroed memory, 512 bytes, for the structures that a program file's operations use. */
export const VARIABLES_BUFFER_ADDRESS = VARIABLES_ADDRESS + SLOTS_SIZE;
const VARIABLES_BUFFER_SIZE = 512;

const ELF_HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const PROGRAM_HEADER_COUNT = 3;
const CODE_OFFSET = ELF_HEADER_SIZE + PROGRAM_HEADER_COUNT * PROGRAM_HEADER_SIZE;

const ET_EXEC = 2;
const EM_X86_64 = 62;
const EM_AARCH64 = 183;
const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const PF_X = 1;
const PF_W = 2;
const PF_R = 4;

/**
 * Makes the file.
 * @param table whose slots are at VARIABLES_ADDRESS
 * @param stack the slot that receives the initial stack pointer: argc, argv, NULL, environment, NULL
 * @param size see `OperationTable.encode`
 */
export function encodeProgramFile(
  architecture: Architecture,
  table: OperationTable,
  stack: Slot,
  size: "fixed" | "compact",
): Uint8Array {
  const operations = table.encode((name) => systemCallNumber(name, architecture), size);
  const emit = (operationsOffset: number) =>
    emitInterpreter(architecture, {
      slotsAddress: VARIABLES_ADDRESS,
      operationsAddress: FILE_ADDRESS + operationsOffset,
      stackSlot: stack.index,
    });
  // The code's length does not depend on the address, which is never so low that a shorter instruction would do.
  const operationsOffset = alignTo8(CODE_OFFSET + emit(CODE_OFFSET).length);
  const file = new Uint8Array(operationsOffset + operations.length);
  if (file.length > SEGMENT_ALIGNMENT) throw new Error(`program file of ${file.length} bytes is too large`);
  writeElfHeaders(new DataView(file.buffer), architecture);
  file.set(emit(operationsOffset), CODE_OFFSET);
  file.set(operations, operationsOffset);
  return file;
}

function alignTo8(offset: number): number {
  return (offset + 7) & ~7;
}

function writeElfHeaders(view: DataView, architecture: Architecture): void {
  // 64-bit, little-endian, version 1.
  for (const [offset, byte] of [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1].entries()) view.setUint8(offset, byte);
  view.setUint16(16, ET_EXEC, true);
  view.setUint16(18, architecture === "x86-64" ? EM_X86_64 : EM_AARCH64, true);
  view.setUint32(20, 1, true);
  setInteger64(view, 24, FILE_ADDRESS + CODE_OFFSET);
  setInteger64(view, 32, ELF_HEADER_SIZE);
  view.setUint16(52, ELF_HEADER_SIZE, true);
  view.setUint16(54, PROGRAM_HEADER_SIZE, true);
  view.setUint16(56, PROGRAM_HEADER_COUNT, true);
  const headers = [
    { type: PT_LOAD, flags: PF_R | PF_X, address: FILE_ADDRESS, fileSize: view.byteLength, size: view.byteLength },
    {
      type: PT_LOAD,
      flags: PF_R | PF_W,
      address: VARIABLES_ADDRESS,
      fileSize: 0,
      size: SLOTS_SIZE + VARIABLES_BUFFER_SIZE,
    },
    // Says that the stack need not be executable.
    { type: PT_GNU_STACK, flags: PF_R | PF_W, address: 0, fileSize: 0, size: 0 },
  ];
  for (const [index, { type, flags, address, fileSize, size }] of headers.entries()) {
    const offset = ELF_HEADER_SIZE + index * PROGRAM_HEADER_SIZE;
    view.setUint32(offset, type, true);
    view.setUint32(offset + 4, flags, true);
    for (const [field, value] of [0, address, address, fileSize, size, SEGMENT_ALIGNMENT].entries()) {
      setInteger64(view, offset + 8 + 8 * field, value);
    }
  }
}
