import { expect, test } from "bun:test";
import { readFileSync, readlinkSync, writeSync } from "node:fs";
import { MemoryFile } from "../../../src/sys/memory-file.ts";
import { SystemCall, systemCall } from "../../../src/sys/system-call.ts";

const pathOf = ({ descriptor }: MemoryFile) => `/proc/self/fd/${descriptor.number}`;

test("each write replaces the content", () => {
  using file = new MemoryFile("content");
  expect(readFileSync(pathOf(file), "utf8")).toBe("");
  for (const text of ["a longer text, with ä", "short", ""]) {
    file.write(text);
    expect(readFileSync(pathOf(file), "utf8")).toBe(text);
  }
});

test("its content is read whole, wherever others that have the descriptor are in it", () => {
  using file = new MemoryFile("messages");
  expect(file.read()).toBe("");
  writeSync(file.descriptor.number, "one ");
  writeSync(file.descriptor.number, "and another");
  expect(file.read()).toBe("one and another");
});

test("is close-on-exec and has its name in /proc", () => {
  const F_GETFD = 1;
  using file = new MemoryFile("mountinfo");
  expect(readlinkSync(pathOf(file))).toBe("/memfd:mountinfo (deleted)");
  expect(systemCall(SystemCall.fcntl, file.descriptor.number, F_GETFD)).toBe(1);
});

test("a name that is too long is cut, and a shorter one after it is whole", () => {
  using long = new MemoryFile("x".repeat(300));
  expect(readlinkSync(pathOf(long))).toBe(`/memfd:${"x".repeat(249)} (deleted)`);
  using short = new MemoryFile("short");
  expect(readlinkSync(pathOf(short))).toBe("/memfd:short (deleted)");
});

test("goes with its descriptor", () => {
  const file = new MemoryFile("gone");
  file[Symbol.dispose]();
  expect(() => file.write("x")).toThrow("closed");
});
