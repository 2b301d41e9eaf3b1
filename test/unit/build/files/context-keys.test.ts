import { expect, test } from "bun:test";
import { renameSync, rmSync } from "node:fs";
import { ContextKeys } from "../../../../src/build/files/context-keys.ts";
import { TemporaryTree } from "./trees.ts";

const never = new AbortController().signal;
const all = { paths: ["."], excluded: [], keepsParents: false };

test("keys that were found go along, and are not computed again", async () => {
  using data = new TemporaryTree();
  using tree = new TemporaryTree({ a: "a" });
  const source = { kind: "directory", path: tree.path, ignored: [] } as const;
  using first = new ContextKeys(data.path);
  const key = await first.keyOf(source, all, never);
  expect(first.found).toHaveLength(1);
  using second = new ContextKeys(data.path, JSON.parse(JSON.stringify(first.found)));
  tree.add({ b: "b" });
  expect(await second.keyOf(source, all, never)).toEqual(key);
  expect(await second.keyOf(source, { ...all, excluded: ["x"] }, never)).not.toEqual(key);
  expect(await second.keyOf({ ...source, ignored: ["a"] }, all, never)).not.toEqual(key);
});

test("files are read only when their reader agrees, and links without", async () => {
  using data = new TemporaryTree();
  using tree = new TemporaryTree({ a: "a", link: "-> a" });
  const source = { kind: "directory", path: tree.path, ignored: [] } as const;
  using keys = new ContextKeys(data.path, [], () => {
    throw new Error("not to be read");
  });
  expect(keys.keyOf(source, all, never)).rejects.toThrow("not to be read");
  expect(keys.found).toEqual([]);
  renameSync(tree.at("link"), tree.at("l"));
  rmSync(tree.at("a"));
  expect((await keys.keyOf(source, all, never)).digest).toStartWith("sha256:");
});
