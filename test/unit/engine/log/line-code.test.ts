/* The machine code that makes records of lines, as a program of its own for each architecture, the foreign one emulated. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { emitArm64LineCode } from "../../../../src/engine/log/line-code/arm64.ts";
import {
  ByteKind,
  comparedRows,
  LONGEST_LINE,
  ROWS_SIZE,
  TABLE_ENTRY_SIZE,
  WORK_SIZE,
  WorkField,
} from "../../../../src/engine/log/line-code/line-work.ts";
import { emitX86LineCode } from "../../../../src/engine/log/line-code/x86-64.ts";
import { Arm64Assembler } from "../../../../src/launch/assembler/arm64.ts";
import { Register, X86Assembler } from "../../../../src/launch/assembler/x86-64.ts";
import { setInteger64 } from "../../../../src/sys/integer64.ts";
import { systemCallNumber } from "../../../../src/sys/system-call-number.ts";
import { disassemble } from "../../launch/disassemble.ts";
import { executableFile } from "../../launch/run-file.ts";

const FILE_ADDRESS = 0x400000;
const HEADERS_SIZE = 64 + 56;
const CODE = FILE_ADDRESS + HEADERS_SIZE;
const WORK = FILE_ADDRESS + 0x1000;
const TABLE = WORK + 0x1000;
const BETWEEN = TABLE + 0x1000;
const INPUT = BETWEEN + 0x1000;
const OUTPUT = INPUT + 0x10000;
const MEMORY_END = OUTPUT + 0x40000;

const between = "[123456000008]";

/** What calls the function and then writes the structure and the output to standard output. */
const programs = {
  "x86-64": () => {
    const { rax, rdi, rsi, rdx } = Register;
    const write = systemCallNumber("write", "x86-64");
    const exitGroup = systemCallNumber("exit_group", "x86-64");
    const code = emitX86LineCode(between.length);
    const build = (end: number) => {
      const a = new X86Assembler();
      a.movImmediate(rax, end);
      a.push(rax);
      a.movImmediate(rdi, WORK);
      const start = a.finish();
      const after = new X86Assembler();
      for (const [address, size] of [
        [WORK, WORK_SIZE],
        [OUTPUT, MEMORY_END - OUTPUT],
      ] as const) {
        after.movImmediate(rax, write);
        after.movImmediate(rdi, 1);
        after.movImmediate(rsi, address);
        after.movImmediate(rdx, size);
        after.syscall();
      }
      after.movImmediate(rax, exitGroup);
      after.movImmediate(rdi, 0);
      after.syscall();
      return Buffer.concat([start, code, after.finish()]);
    };
    const startLength = build(CODE).indexOf(code);
    return { machine: 62, program: build(CODE + startLength + code.length) };
  },
  arm64: () => {
    const write = systemCallNumber("write", "arm64");
    const exitGroup = systemCallNumber("exit_group", "arm64");
    const code = emitArm64LineCode(between.length);
    const build = (end: number) => {
      const a = new Arm64Assembler();
      a.movImmediate(30, end);
      a.movImmediate(0, WORK);
      const after = new Arm64Assembler();
      for (const [address, size] of [
        [WORK, WORK_SIZE],
        [OUTPUT, MEMORY_END - OUTPUT],
      ] as const) {
        after.movImmediate(8, write);
        after.movImmediate(0, 1);
        after.movImmediate(1, address);
        after.movImmediate(2, size);
        after.svc();
      }
      after.movImmediate(8, exitGroup);
      after.movImmediate(0, 0);
      after.svc();
      return Buffer.concat([a.finish(), code, after.finish()]);
    };
    const startLength = build(CODE).indexOf(code);
    return { machine: 183, program: build(CODE + startLength + code.length) };
  },
} as const;

/** A static ELF file, all of it mapped readable, writable and executable. */
function file(architecture: keyof typeof programs, input: Buffer, limit: number): Uint8Array {
  const { machine, program } = programs[architecture]();
  const content = Buffer.alloc(OUTPUT - FILE_ADDRESS);
  const view = new DataView(content.buffer, content.byteOffset);
  content.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, machine, true);
  view.setUint32(20, 1, true);
  setInteger64(view, 24, CODE);
  setInteger64(view, 32, 64);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setUint32(68, 7, true);
  setInteger64(view, 80, FILE_ADDRESS);
  setInteger64(view, 88, FILE_ADDRESS);
  setInteger64(view, 96, content.length);
  setInteger64(view, 104, MEMORY_END - FILE_ADDRESS);
  setInteger64(view, 112, 0x1000);
  content.set(program, HEADERS_SIZE);
  const put = (name: keyof typeof WorkField, value: number) =>
    setInteger64(view, WORK - FILE_ADDRESS + WorkField[name], value);
  put("source", INPUT);
  put("sourceEnd", INPUT + input.length);
  put("destination", OUTPUT);
  put("destinationLimit", OUTPUT + limit);
  put("table", TABLE);
  put("between", BETWEEN);
  put("firstDigit", BETWEEN + 7);
  put("lastDigit", BETWEEN + 12);
  const entry = (character: string, kind: number, written = "") => {
    const at = TABLE - FILE_ADDRESS + character.charCodeAt(0) * TABLE_ENTRY_SIZE;
    content.write(written, at, "latin1");
    content[at + TABLE_ENTRY_SIZE - 1] = kind;
  };
  entry("\n", ByteKind.newline);
  entry("\0", ByteKind.stop);
  entry('"', 2, '\\"');
  entry("\t", 6, "\\u0009");
  content.set(comparedRows(), TABLE - FILE_ADDRESS - ROWS_SIZE);
  content.write(between, BETWEEN - FILE_ADDRESS, "latin1");
  content.set(input, INPUT - FILE_ADDRESS);
  return content;
}

function run(architecture: keyof typeof programs, input: string, limit = 0x20000) {
  using program = executableFile(architecture, file(architecture, Buffer.from(input, "latin1"), limit));
  const { stdout, exitCode } = Bun.spawnSync([...program.command]);
  expect(exitCode).toBe(0);
  const view = new DataView(stdout.buffer, stdout.byteOffset);
  const length = Number(view.getBigUint64(WorkField.destination, true)) - OUTPUT;
  const taken = Number(view.getBigUint64(WorkField.source, true)) - INPUT;
  return { taken, output: stdout.subarray(WORK_SIZE, WORK_SIZE + length).toString("latin1") };
}

describe.each(["x86-64", "arm64"] as const)("the code for %s", (architecture) => {
  test("is the code that was reviewed", () => {
    const reviewed = readFileSync(join(import.meta.dir, `line-code-${architecture}.asm`), "utf8");
    const code = architecture === "x86-64" ? emitX86LineCode(between.length) : emitArm64LineCode(between.length);
    expect(disassemble(architecture, code)).toEqual(reviewed.trimEnd().split("\n"));
  });

  test("makes records of whole lines, with escapes, and counts them", () => {
    const input = '"a"\n\nb\tc\nlast';
    expect(run(architecture, input)).toEqual({
      taken: input.length - "last".length,
      output: '\\"a\\"[123456000008][123456000009]b\\u0009c[123456000010]',
    });
  });

  test("leaves a line with a byte that it is not to take, and all behind it", () => {
    expect(run(architecture, "one\ntwo\0\nthree\n")).toEqual({ taken: 4, output: "one[123456000008]" });
  });

  test("finds what is written otherwise wherever it stands, and in lines of any length", () => {
    const plain = "\x7f !#%'()*+,-./0123456789:;=?@ABCXYZ[]^_`abcxyz{|}~".repeat(3);
    for (const at of [0, 1, 14, 15, 16, 17, 31, 32, 39]) {
      const text = plain.slice(0, at);
      const [first, second] = [`${text}"${text}&<>`, text];
      const { taken, output } = run(architecture, `${first}\n${second}\n${second}\t\0`);
      expect(taken).toBe(first.length + second.length + 2);
      expect(output).toBe(`${text}\\"${text}&<>[123456000008]${second}[123456000009]`);
    }
  });

  test("begins no line behind the limit", () => {
    const output = "one[123456000008]";
    expect(run(architecture, "one\ntwo\n", output.length)).toEqual({ taken: 8, output: `${output}two[123456000009]` });
    expect(run(architecture, "one\ntwo\n", output.length - 1)).toEqual({ taken: 4, output });
  });

  test("leaves a line that is too long, and takes the longest", () => {
    const longest = `${"x".repeat(LONGEST_LINE - 1)}\n`;
    expect(run(architecture, `${longest}x${longest}`)).toMatchObject({ taken: longest.length });
    expect(run(architecture, longest.slice(1))).toMatchObject({ taken: longest.length - 1 });
  });
});
