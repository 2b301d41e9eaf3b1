import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyToDirectory } from "../../../../src/build/output/write-files.ts";

const PIECE = 32 << 20;

let from: string;
let to: string;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-write-files-"));
  [from, to] = [join(directory, "from"), join(directory, "to")];
  for (const path of [from, to]) mkdirSync(path);
});
afterEach(() => rmSync(directory, { recursive: true }));

test("files are copied with their data, modes, times and holes, also over others", async () => {
  const data = Buffer.alloc(PIECE + 5, "data");
  writeFileSync(join(from, "large"), data, { mode: 0o640 });
  writeFileSync(join(from, "empty"), "");
  writeFileSync(join(from, "hole"), "begin");
  truncateSync(join(from, "hole"), 1e10);
  writeFileSync(join(to, "large"), "another");
  for (const name of ["large", "empty", "hole"]) utimesSync(join(from, name), 1_000_000_000, 1_000_000_001);
  expect(await copyToDirectory(from, to, new AbortController().signal)).toEqual([]);
  expect(readFileSync(join(to, "large")).equals(data)).toBe(true);
  expect(readFileSync(join(to, "empty"), "utf8")).toBe("");
  for (const name of ["large", "empty", "hole"]) {
    const [original, copy] = [statSync(join(from, name)), statSync(join(to, name))];
    expect([copy.size, copy.mode, copy.mtimeMs]).toEqual([original.size, original.mode, 1_000_000_001_000]);
  }
  expect(statSync(join(to, "hole")).blocks).toBeLessThan(100);
});

test("an interruption ends the copy in the middle of a file", async () => {
  writeFileSync(join(from, "large"), Buffer.alloc(3 * PIECE));
  const interruption = new AbortController();
  const reason = new Error("interrupted");
  setImmediate(() => interruption.abort(reason));
  expect(await copyToDirectory(from, to, interruption.signal).catch((error: unknown) => error)).toBe(reason);
  expect(statSync(join(to, "large")).size).toBe(PIECE);
});
