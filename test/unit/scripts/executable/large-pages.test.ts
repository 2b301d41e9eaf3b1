import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { largePagesOption } from "../../../../scripts/executable/large-pages.ts";
import { executable } from "../../../executable.ts";

const onX86 = process.arch === "x64";

test.if(onX86)("Bun's executable has the option, and it is off", () => {
  const file = readFileSync(process.execPath);
  const value = largePagesOption(file);
  expect(value).toBeNumber();
  expect(file.readBigInt64LE(value)).toBe(0n);
});

test.if(onX86)("the built executable has it on, and is changed no second time", () => {
  const file = readFileSync(executable());
  expect(largePagesOption(file)).toBeUndefined();
});

const BASE = 0x400000;

/** An ELF file of one segment with tables of one option each, whose values are these. */
function elfWith(values: readonly bigint[], { machine = 62, name = "allow_thp" } = {}): Buffer {
  const file = Buffer.alloc(1024);
  file.write("\x7fELF\x02", "latin1");
  file.writeUInt16LE(machine, 18);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64);
  file.writeBigUInt64LE(BigInt(BASE), 64 + 16);
  file.writeBigUInt64LE(1024n, 64 + 32);
  file.write(name, 256);
  for (const [index, value] of values.entries()) {
    const table = 512 + 32 * index;
    file.writeBigInt64LE(value, table);
    file.writeBigUInt64LE(BigInt(BASE + 256), table + 16);
  }
  return file;
}

test("the option's value is found by the pointer to its name", () => {
  expect(largePagesOption(elfWith([0n]))).toBe(512);
  expect(largePagesOption(elfWith([1n, 0n]))).toBe(544);
});

test("nothing is changed where it is not certain what", () => {
  const files = {
    on: elfWith([1n]),
    twice: elfWith([0n, 0n]),
    unnamed: elfWith([0n], { name: "allow_thp_too" }),
    arm64: elfWith([0n], { machine: 183 }),
    script: Buffer.from("#!/bin/sh\nallow_thp\n"),
    empty: Buffer.alloc(0),
  };
  for (const [name, file] of Object.entries(files)) expect([name, largePagesOption(file)]).toEqual([name, undefined]);
});
