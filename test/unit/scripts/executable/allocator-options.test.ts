import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { setAllocatorOptions } from "../../../../scripts/executable/allocator-options.ts";
import { executable } from "../../../executable.ts";

test("Bun's executable has the options with the defaults that are known, where they are changed", () => {
  expect(setAllocatorOptions(readFileSync(process.execPath))).toBe(process.arch === "x64");
});

// It may have to be built.
test("in the built executable there is nothing left to change", () => {
  expect(setAllocatorOptions(readFileSync(executable()))).toBe(false);
}, 300_000);

const BASE = 0x400000;
const NAMES = 256;
const TABLE = 512;

/** An ELF file of one segment with a table of options, by their names and values. */
function elfWith(options: readonly (readonly [name: string, value: bigint])[], machine = 62): Buffer {
  const file = Buffer.alloc(1024);
  file.write("\x7fELF\x02\x01", "latin1");
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
    ["verbose", 0n],
    ["purge_delay", 100n],
    ["allow_thp", 0n],
    ["allow_thp", 1n],
  ]);
  const expected = Buffer.from(file);
  expected.writeBigInt64LE(-1n, TABLE + 32);
  expected.writeBigInt64LE(1n, TABLE + 64);
  expect(setAllocatorOptions(file)).toBe(true);
  expect(file.equals(expected)).toBe(true);
});

test("nothing is changed where it is not certain what", () => {
  const delay = ["purge_delay", 100n] as const;
  const files = {
    changed: elfWith([["allow_thp", 1n], delay]),
    twice: elfWith([["allow_thp", 0n], ["allow_thp", 0n], delay]),
    missing: elfWith([["allow_thp", 0n]]),
    longer: elfWith([["allow_thp_too", 0n], delay]),
    arm64: elfWith([["allow_thp", 0n], delay], 183),
    script: Buffer.from("#!/bin/sh\nallow_thp\n"),
    empty: Buffer.alloc(0),
  };
  for (const [name, file] of Object.entries(files)) {
    const before = Buffer.from(file);
    expect([name, setAllocatorOptions(file)]).toEqual([name, false]);
    expect([name, file.equals(before)]).toEqual([name, true]);
  }
});
