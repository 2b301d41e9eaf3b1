import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeContainerDirectory, sweep } from "../../../../src/engine/state/container-directory.ts";

let data: string;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "bunker-"));
  mkdirSync(join(data, "containers/left"), { recursive: true });
});

afterEach(() => {
  rmSync(data, { recursive: true });
});

test("what nobody knows and nobody holds is removed, out of its maker's way", () => {
  using _lock = makeContainerDirectory(data, "begun");
  mkdirSync(join(data, "containers/known"));
  const removed: string[] = [];
  sweep(
    data,
    () => new Set(["known"]),
    (path) => removed.push(path),
  );
  expect(removed).toEqual([expect.stringMatching(/containers\/removed-[-0-9a-f]+$/)]);
  expect(readdirSync(join(data, "containers")).sort()).toEqual([
    "begun",
    "known",
    removed[0]?.slice(removed[0].lastIndexOf("/") + 1) ?? "",
  ]);
});

test("what another who sweeps has removed meanwhile is no error", () => {
  let looks = 0;
  sweep(
    data,
    () => {
      // The second look comes after the lock was taken.
      if (++looks === 2) rmSync(join(data, "containers/left"), { recursive: true });
      return new Set();
    },
    () => expect.unreachable(),
  );
  expect(looks).toBe(2);
  expect(existsSync(join(data, "containers/left"))).toBe(false);
});
