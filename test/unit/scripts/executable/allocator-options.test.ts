import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { setAllocatorOptions } from "../../../../scripts/executable/allocator-options.ts";
import { executable } from "../../../executable.ts";

const onX86 = process.arch === "x64";

test.if(onX86)("Bun's executable has the options with the defaults that are known", () => {
  expect(setAllocatorOptions(readFileSync(process.execPath))).toBe(true);
});

// It may have to be built.
test.if(onX86)(
  "the built executable has the others",
  () => {
    expect(setAllocatorOptions(readFileSync(executable()))).toBe(false);
  },
  300_000,
);

const BASE = 0x400000;
const NAMES = 256;
const TABLE = 512;
const OPTIONS = [
  { name: "first", from: 0n, to: 1n },
  { name: "second", from: 100n, to: -1n },
];

/** An ELF file of one segment with a table of options, by their names and values. */
function elfWith(options: readonly (readonly [name: string, value: bigint])[], machine = 62): Buffer {
  const file = Buffer.alloc(1024);
  file.write("\x7fELF\x02", "latin1");
  file.writeUInt16LE(machine, 18);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64);
  file.writeBigUInt64LE(BigInt(BASE), 64 + 16);
  file.writeBigUInt64LE(1024n, 64 + 32);
  const names = [...new Set(options.map(([name]) => name))];
  for (const [index, name] of names.entries()) file.write(name, NAMES + 32 * index);
  for (const [index, [name, value]] of options.entries()) {
    file.writeBigInt64LE(value, TABLE + 32 * index);
    file.writeBigUInt64LE(BigInt(BASE + NAMES + 32 * names.indexOf(name)), TABLE + 32 * index + 16);
  }
  return file;
}

test("values are found by the pointers to their names, and nothing else is changed", () => {
  const file = elfWith([
    ["other", 0n],
    ["second", 100n],
    ["first", 0n],
    ["first", 1n],
  ]);
  const expected = Buffer.from(file);
  expected.writeBigInt64LE(-1n, TABLE + 32);
  expected.writeBigInt64LE(1n, TABLE + 64);
  expect(setAllocatorOptions(file, OPTIONS)).toBe(true);
  expect(file.equals(expected)).toBe(true);
});

test("nothing is changed where it is not certain what", () => {
  const second = ["second", 100n] as const;
  const files = {
    changed: elfWith([["first", 1n], second]),
    twice: elfWith([["first", 0n], ["first", 0n], second]),
    missing: elfWith([["first", 0n]]),
    longer: elfWith([["firstly", 0n], second]),
    arm64: elfWith([["first", 0n], second], 183),
    script: Buffer.from("#!/bin/sh\nfirst\n"),
    empty: Buffer.alloc(0),
  };
  for (const [name, file] of Object.entries(files)) {
    const before = Buffer.from(file);
    expect([name, setAllocatorOptions(file, OPTIONS)]).toEqual([name, false]);
    expect([name, file.equals(before)]).toEqual([name, true]);
  }
});
