import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { alignToLargePages } from "../../../../scripts/executable/large-page-segments.ts";
import { executable } from "../../../executable.ts";
import {
  CODE,
  CONSTANTS,
  DATA,
  EXECUTE,
  elfWith,
  HEADERS,
  LOAD,
  type Part,
  partsOf,
  READ,
  SECTIONS,
  STACK,
  WRITE,
} from "./elf-file.ts";

const LARGE_PAGE = 0x200000;

/** What a loader would place in memory: each address that is told, with the 4 bytes there. */
function memoryOf(file: Buffer): ReadonlyMap<number, number> {
  const memory = new Map<number, number>();
  for (const { type, offset, address, fileSize } of partsOf(file)) {
    if (type !== LOAD) continue;
    for (let at = 0; at < fileSize; at += 4) memory.set(address + at, file.readUInt32LE(offset + at));
  }
  return memory;
}

test("segments stand in the file where they lie in memory, modulo large pages, and hold what they held", () => {
  const file = elfWith([CONSTANTS, { ...CONSTANTS, type: STACK, fileSize: 0 }, CODE, DATA]);
  const before = Buffer.from(file);
  const aligned = alignToLargePages(file);
  expect(file.equals(before)).toBe(true);
  if (aligned === undefined) throw new Error("not aligned");
  const [joined, stack, data] = partsOf(aligned);
  expect(joined).toEqual({
    type: LOAD,
    flags: READ | EXECUTE,
    offset: 0,
    address: 0x400000,
    fileSize: 0x2400,
    memorySize: 0x2400,
    alignment: LARGE_PAGE,
  });
  expect(stack).toMatchObject({ type: STACK, offset: 0, alignment: 0x1000 });
  expect(data).toEqual({ ...DATA, type: LOAD, offset: 0x3400, memorySize: 0x900, alignment: LARGE_PAGE });
  const memory = memoryOf(aligned);
  for (const [address, value] of memoryOf(file)) {
    // The first kilobyte holds the headers, which have changed.
    if (address >= CONSTANTS.address + 0x400) expect(memory.get(address)).toBe(value);
  }
  // What is in no segment comes behind them, and its section points to it.
  const section = Number(aligned.readBigUInt64LE(SECTIONS + 24));
  expect(aligned.readUInt32LE(section)).toBe(0x1700);
  expect(alignToLargePages(aligned)?.equals(aligned)).toBe(true);
});

test("a segment far from the one before does not make the file as large as the distance", () => {
  const far = { ...DATA, address: 0x7ff003400 };
  const aligned = alignToLargePages(elfWith([CONSTANTS, CODE, far]));
  expect(partsOf(aligned ?? Buffer.alloc(HEADERS)).at(-1)).toMatchObject({ offset: 0x3400, address: 0x7ff003400 });
});

test("segments are only joined where that changes nothing but that constants can be executed", () => {
  const kept = (parts: readonly Part[]) => partsOf(alignToLargePages(elfWith(parts)) ?? Buffer.alloc(HEADERS)).length;
  expect(kept([CONSTANTS, CODE])).toBe(1);
  expect(kept([{ ...CONSTANTS, flags: READ | WRITE }, CODE])).toBe(2);
  expect(kept([{ ...CONSTANTS, memorySize: 0x1010 }, CODE])).toBe(2);
  expect(kept([CONSTANTS, { ...CODE, flags: READ }])).toBe(2);
  expect(kept([CONSTANTS, { ...CODE, address: CODE.address + 2 * LARGE_PAGE }])).toBe(2);
});

test("nothing is done where it is not certain what", () => {
  const files = {
    arm64: elfWith([CONSTANTS, CODE], 183),
    empty: Buffer.alloc(0),
    script: Buffer.from("#!/bin/sh\n"),
    "no segments": elfWith([]),
    "other order": elfWith([CONSTANTS, { ...CODE, address: 0x300100 }]),
    overlapping: elfWith([CONSTANTS, { ...CODE, offset: 0xf00 }]),
    "nothing at the file's beginning": elfWith([CODE, DATA]),
  };
  for (const [name, file] of Object.entries(files)) expect([name, alignToLargePages(file)]).toEqual([name, undefined]);
});

test("Bun goes on working when it is aligned", () => {
  const directory = mkdtempSync(`${tmpdir()}/aligned-`);
  try {
    const aligned = alignToLargePages(readFileSync(process.execPath));
    if (aligned === undefined) return expect(process.arch).not.toBe("x64");
    writeFileSync(`${directory}/bun`, aligned, { mode: 0o755 });
    const { stdout } = Bun.spawnSync([`${directory}/bun`, "-e", "console.log(Bun.version, 6 * 7)"]);
    expect(stdout.toString()).toBe(`${Bun.version} 42\n`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

// It may have to be built.
test("the built executable is aligned", () => {
  const loaded = partsOf(readFileSync(executable())).filter(({ type }) => type === LOAD);
  expect(loaded.length).toBeGreaterThan(0);
  if (process.arch !== "x64") return;
  for (const { offset, address, alignment } of loaded) {
    expect([(address - offset) % LARGE_PAGE, alignment]).toEqual([0, LARGE_PAGE]);
  }
}, 300_000);
