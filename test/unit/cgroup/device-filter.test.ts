import { expect, test } from "bun:test";
import { deviceProgram } from "../../../src/cgroup/device-filter.ts";

type Rules = Parameters<typeof deviceProgram>[0];

/** What a program answers; an interpreter of the few instructions that it is made of. */
function answer(program: Buffer, type: "b" | "c", access: string, major: number, minor: number): number {
  const kinds = [...access].reduce((mask, letter) => mask | { m: 1, r: 2, w: 4 }[letter as "m" | "r" | "w"], 0);
  const context = [(kinds << 16) | { b: 1, c: 2 }[type], major, minor];
  const registers = new Int32Array(11);
  for (let at = 0; at < program.length; at += 8) {
    const destination = program.readUInt8(at + 1) & 15;
    const value = registers[program.readUInt8(at + 1) >> 4] ?? 0;
    const offset = program.readInt16LE(at + 2);
    const immediate = program.readInt32LE(at + 4);
    const own = registers[destination] ?? 0;
    const opcode = program.readUInt8(at);
    if (opcode === 0x61) registers[destination] = context[offset / 4] ?? 0;
    else if (opcode === 0x54) registers[destination] = own & immediate;
    else if (opcode === 0x74) registers[destination] = own >>> immediate;
    else if (opcode === 0xbc) registers[destination] = value;
    else if (opcode === 0xb4) registers[destination] = immediate;
    else if (opcode === 0x15 && own === immediate) at += 8 * offset;
    else if (opcode === 0x55 && own !== immediate) at += 8 * offset;
    else if (opcode === 0x95) return registers[0] ?? 0;
    else if (opcode !== 0x15 && opcode !== 0x55) throw new Error(`instruction ${opcode.toString(16)}`);
  }
  throw new Error("it ran past its end");
}

const nothing: Rules[number] = { allow: false, access: "rwm" };
const fuse: Rules[number] = { allow: true, type: "c", major: 10, minor: 229, access: "r" };

test.each<[string, Rules, "b" | "c", string, number, number, 0 | 1]>([
  ["without rules all is allowed", [], "b", "rwm", 8, 0, 1],
  ["nothing", [nothing], "b", "r", 8, 0, 0],
  ["but null", [nothing], "c", "rw", 1, 3, 1],
  ["but terminals of any number", [nothing], "c", "rw", 136, 77, 1],
  ["but making nodes", [nothing], "b", "m", 8, 0, 1],
  ["but not making and using them", [nothing], "b", "mr", 8, 0, 0],
  ["what a later rule allows", [nothing, fuse], "c", "r", 10, 229, 1],
  ["not more of it", [nothing, fuse], "c", "rw", 10, 229, 0],
  ["not of its neighbour", [nothing, fuse], "c", "r", 10, 200, 0],
  ["not of a block device", [nothing, fuse], "b", "r", 10, 229, 0],
  ["an earlier rule does not count", [fuse, nothing], "c", "r", 10, 229, 0],
  [
    "kinds of access by different rules",
    [nothing, fuse, { allow: true, type: "c", major: 10, access: "w" }],
    ...(["c", "rw", 10, 229, 1] as const),
  ],
  ["a denial of one kind", [{ allow: false, type: "b", access: "w" }], "b", "r", 8, 1, 1],
  ["a denial of one of two kinds", [{ allow: false, type: "b", access: "w" }], "b", "rw", 8, 1, 0],
  ["a rule without letters is for all", [{ allow: false, type: "b", major: 8 }], "b", "r", 8, 1, 0],
  ["rules for FIFOs mean nothing", [{ allow: false, type: "p" }], "c", "r", 5, 5, 1],
])("%s", (_name, rules, type, access, major, minor, expected) => {
  expect(answer(deviceProgram(rules), type, access, major, minor)).toBe(expected);
});
