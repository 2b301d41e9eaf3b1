import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { adviseLargePages } from "../../../../scripts/executable/large-page-advice.ts";
import { alignToLargePages } from "../../../../scripts/executable/large-page-segments.ts";
import { advisedMappings } from "../../../advised-mappings.ts";
import { executable } from "../../../executable.ts";
import { disassemble } from "../../launch/disassemble.ts";
import { CONSTANTS, DATA, EXECUTE, elfWith, HEADERS, type Part, partsOf, READ, WRITE } from "./elf-file.ts";

const ENTRY = 24;
/** There is room behind it, in its page and in the file. */
const CODE: Part = { flags: READ | EXECUTE, offset: 0x1100, address: 0x402100, fileSize: 0x274 };
const ROOM = { start: CODE.offset + CODE.fileSize, end: DATA.offset };

/** A file that can be changed: it is entered in its code, behind which there is nothing in the file. */
function elfWithRoom(parts: readonly Part[] = [CONSTANTS, CODE, DATA], machine?: number): Buffer {
  const file = elfWith(parts, machine).fill(0, ROOM.start, ROOM.end);
  file.writeBigUInt64LE(0x402180n, ENTRY);
  return file;
}

test("a program is entered behind its code, where it asks for large pages and goes on as before", () => {
  const file = elfWithRoom();
  const before = Buffer.from(file);
  expect(adviseLargePages(file)).toBe(true);
  const entry = Number(file.readBigUInt64LE(ENTRY));
  // The code ends at 0x402374.
  expect(entry).toBe(0x402380);
  const [constants, code, data] = partsOf(file);
  expect([constants, data]).toEqual([partsOf(before)[0], partsOf(before)[2]]);
  expect(code).toMatchObject({ ...CODE, fileSize: 0x2a1, memorySize: 0x2a1 });
  const place = entry - CODE.address + CODE.offset;
  const instructions = file.subarray(place, CODE.offset + 0x2a1);
  expect(disassemble("x86-64", instructions)).toEqual([
    "0: mov r8,rdx",
    "3: mov edi,0x402000",
    "8: mov esi,0x374",
    "d: mov edx,0xe",
    "12: mov eax,0x1c",
    "17: syscall",
    "19: mov rdx,r8",
    "1c: jmp 0xfffffffffffffe00",
  ]);
  // Nothing else has changed.
  instructions.fill(0);
  before.copy(file, HEADERS, HEADERS, HEADERS + 3 * 56);
  before.copy(file, ENTRY, ENTRY, ENTRY + 8);
  expect(file.equals(before)).toBe(true);
});

test("nothing is changed where it is not certain that it can be", () => {
  const taken = elfWithRoom();
  taken[ROOM.start + 0x20] = 1;
  const movable = elfWithRoom();
  movable.writeUInt16LE(3, 16);
  const full = { ...CODE, address: 0x402d80 };
  const files = {
    arm64: elfWithRoom(undefined, 183),
    empty: Buffer.alloc(0),
    script: Buffer.from("#!/bin/sh\n"),
    "can lie anywhere": movable,
    "no code": elfWithRoom([CONSTANTS, DATA]),
    "two segments of code": elfWithRoom([{ ...CONSTANTS, flags: READ | EXECUTE }, CODE, DATA]),
    "room that is used": taken,
    "no room in the last page": elfWithRoom([CONSTANTS, full, { ...DATA, address: 0x404400 }]),
    "another segment behind it": elfWithRoom([CONSTANTS, CODE, { ...DATA, offset: ROOM.start + 0x10 }]),
    "memory behind it that is no file's": elfWithRoom([CONSTANTS, { ...CODE, memorySize: 0x400 }, DATA]),
    "far away": elfWithRoom([CONSTANTS, { ...CODE, address: 0x100002100 }, { ...DATA, address: 0x100003400 }]),
  };
  for (const [name, file] of Object.entries(files)) {
    const before = Buffer.from(file);
    expect([name, adviseLargePages(file), file.equals(before)]).toEqual([name, false, true]);
  }
});

test("Bun goes on working, and its code has been advised", () => {
  const directory = mkdtempSync(`${tmpdir()}/advised-`);
  try {
    const file = alignToLargePages(readFileSync(process.execPath));
    if (file === undefined || !adviseLargePages(file)) return expect(process.arch).not.toBe("x64");
    writeFileSync(`${directory}/bun`, file, { mode: 0o755 });
    const script = 'console.log(await Bun.file("/proc/self/smaps").text())';
    const { stdout, exitCode } = Bun.spawnSync([`${directory}/bun`, "-e", script]);
    expect(exitCode).toBe(0);
    const ofFile = advisedMappings(stdout.toString()).filter(({ path }) => path === `${directory}/bun`);
    expect(ofFile.map(({ permissions }) => permissions)).toEqual(["r-xp"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

// It may have to be built.
test("the built executable asks for large pages", () => {
  const file = readFileSync(executable());
  const [code] = partsOf(file).filter(({ flags }) => (flags & (EXECUTE | WRITE)) === EXECUTE);
  if (process.arch !== "x64" || code === undefined) return expect(process.arch).not.toBe("x64");
  const end = code.address + code.fileSize;
  expect(end - Number(file.readBigUInt64LE(ENTRY))).toBe(0x21);
}, 300_000);
