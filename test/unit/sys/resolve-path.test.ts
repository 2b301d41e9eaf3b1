import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { resolvePath } from "../../../src/sys/resolve-path.ts";

test.each([
  ["/"],
  ["/a/b.c/..d/...e"],
  ["//a//b"],
  ["/a/"],
  ["/a/./b"],
  ["/a/../../b"],
  ["/a/.."],
  ["/a/."],
  ["/line\nbreak/../x"],
  ["/line\nbreak/."],
  ["a/b"],
  ["../a"],
  [""],
])("%j is resolved as node:path resolves it", (path) => {
  expect(resolvePath(path)).toBe(resolve(path));
  for (const base of ["/", "/base/x", "base"]) expect(resolvePath(path, base)).toBe(resolve(base, path));
});
