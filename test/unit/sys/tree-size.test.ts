import { afterEach, beforeEach, expect, test } from "bun:test";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { treeSize } from "../../../src/sys/tree-size.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-tree-size-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("regular files count by their lengths, and once", () => {
  mkdirSync(`${directory}/a/b`, { recursive: true });
  writeFileSync(`${directory}/a/b/file`, Buffer.alloc(1000));
  writeFileSync(`${directory}/a/sparse`, "");
  truncateSync(`${directory}/a/sparse`, 5_000_000_000);
  linkSync(`${directory}/a/b/file`, `${directory}/linked`);
  symlinkSync("/usr", `${directory}/a/elsewhere`);
  expect(treeSize(directory)).toBe(5_000_001_000);
});

test("names that are no text are found", () => {
  mkdirSync(Buffer.from(`${directory}/\xff`, "latin1"));
  writeFileSync(Buffer.from(`${directory}/\xff/\xfe`, "latin1"), "12345");
  expect(treeSize(directory)).toBe(5);
});

test("what is not there has no size", () => {
  expect(treeSize(`${directory}/missing`)).toBe(0);
});
