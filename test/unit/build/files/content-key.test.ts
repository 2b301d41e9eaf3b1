import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { textsKey } from "../../../../src/build/files/content-key.ts";
import { ContextKeys } from "../../../../src/build/files/context-keys.ts";
import type { FileSelection } from "../../../../src/build/files/file-source.ts";
import { openStateDatabase } from "../../../../src/state/state-database.ts";
import type { ByteString } from "../../../../src/sys/byte-string.ts";
import { setAttribute } from "../../../../src/sys/file.ts";
import { TemporaryTree, type TreeDescription } from "./trees.ts";

const never = new AbortController().signal;

const files: TreeDescription = { "src/a": "a", "src/b/c": "c", "src/link": "-> a", other: "other" };

function selection(tree: TemporaryTree, paths: string[], more: Partial<FileSelection> = {}): FileSelection {
  return {
    source: { kind: "directory", path: tree.path, ignored: [] },
    paths,
    excluded: [],
    keepsParents: false,
    ...more,
  };
}

async function digest(data: TemporaryTree, { source, ...selected }: FileSelection): Promise<string> {
  if (source.kind === "layers") throw new Error("layers are no files from outside");
  using keys = new ContextKeys(data.path);
  return (await keys.keyOf(source, selected, never)).digest;
}

/** What is done to the files, and whether they are others then for an image. */
const changes: readonly (readonly [what: string, change: (tree: TemporaryTree) => void, isOther: boolean])[] = [
  ["nothing", () => undefined, false],
  ["other times", (tree) => utimesSync(tree.at("src/a"), 1, 2), false],
  ["another owner", (tree) => chownSync(tree.at("src/a"), 5, 6), false],
  ["a file that is not selected", (tree) => tree.add({ "more/x": "x" }), false],
  ["other bytes of the same length and time", rewrite, true],
  ["another mode", (tree) => chmodSync(tree.at("src/a"), 0o640), true],
  ["another mode of a directory", (tree) => chmodSync(tree.at("src/b"), 0o700), true],
  ["another name", (tree) => renameSync(tree.at("src/a"), tree.at("src/A")), true],
  ["an empty directory", (tree) => mkdirSync(tree.at("src/new")), true],
  ["another link", relink, true],
  ["a file instead of a link", unlink, true],
  ["a file moved up", (tree) => renameSync(tree.at("src/b/c"), tree.at("src/c")), true],
  ["a hard link for a copy", hardLink, false],
  ["an attribute", addAttribute, true],
];

function rewrite(tree: TemporaryTree): void {
  const { atime, mtime } = statSync(tree.at("src/a"));
  writeFileSync(tree.at("src/a"), "b");
  utimesSync(tree.at("src/a"), atime, mtime);
}

function relink(tree: TemporaryTree): void {
  rmSync(tree.at("src/link"));
  symlinkSync("b", tree.at("src/link"));
}

function unlink(tree: TemporaryTree): void {
  rmSync(tree.at("src/link"));
  tree.add({ "src/link": "a" });
}

function hardLink(tree: TemporaryTree): void {
  linkSync(tree.at("src/a"), tree.at("other-name"));
}

function addAttribute(tree: TemporaryTree): void {
  const file = openSync(tree.at("src/a"), "r+");
  expect(setAttribute(file, "user.x" as ByteString, "y" as ByteString)).toBe(0);
  closeSync(file);
}

describe("the key of copied files", () => {
  test.each(changes)("%s", async (_, change, isOther) => {
    using data = new TemporaryTree();
    using tree = new TemporaryTree(files);
    const before = await digest(data, selection(tree, ["src"]));
    change(tree);
    const after = await digest(data, selection(tree, ["src"]));
    expect(after !== before).toBe(isOther);
  });

  test("is the same for the same files elsewhere", async () => {
    using data = new TemporaryTree();
    using tree = new TemporaryTree(files);
    using other = new TemporaryTree({ ...files, unrelated: "" });
    expect(await digest(data, selection(tree, ["src"]))).toBe(await digest(data, selection(other, ["src"])));
    expect(await digest(data, selection(tree, ["."]))).not.toBe(await digest(data, selection(other, ["."])));
  });

  test("knows what is left out", async () => {
    using data = new TemporaryTree();
    using tree = new TemporaryTree(files);
    using less = new TemporaryTree({ "src/a": "a", "src/link": "-> a" });
    const whole = await digest(data, selection(less, ["src"]));
    expect(await digest(data, selection(tree, ["src"], { excluded: ["b"] }))).toBe(whole);
    const source = { kind: "directory", path: tree.path, ignored: ["src/b"] } as const;
    expect(await digest(data, selection(tree, ["src"], { source }))).toBe(whole);
  });

  test("of files in the Dockerfile knows names and contents", () => {
    const key = textsKey([{ name: "a", content: "b" }]).digest;
    expect(textsKey([{ name: "a", content: "b" }]).digest).toBe(key);
    expect(textsKey([{ name: "ab", content: "" }]).digest).not.toBe(key);
  });

  test("of a file that cannot be read is an error", async () => {
    using data = new TemporaryTree();
    const missing = selection(data, ["x"], { source: { kind: "directory", path: data.at("none"), ignored: [] } });
    await expect(digest(data, missing)).rejects.toThrow(/open .*none: ENOENT/);
  });
});

describe("remembered digests", () => {
  /** How many files of how many directories are remembered. */
  function remembered(data: TemporaryTree): readonly [directories: number, files: number] {
    using database = openStateDatabase(data.path, []);
    const rows = database.all<{ files: Uint8Array }>("SELECT files FROM directory_digests");
    const names = rows.flatMap((row) => Buffer.from(row.files).toString("latin1").split("\0").slice(0, -1));
    return [rows.length, names.length / 3];
  }

  /** Makes it look as if files had been changed long before they were read; the kernel sets the time of a change. */
  function later<Result>(work: () => Promise<Result>): Promise<Result> {
    const { now } = Date;
    Date.now = () => now() + 60_000;
    return work().finally(() => {
      Date.now = now;
    });
  }

  test("are not kept of files that were changed just now", async () => {
    using data = new TemporaryTree();
    using tree = new TemporaryTree(files);
    await digest(data, selection(tree, ["."]));
    expect(remembered(data)).toEqual([0, 0]);
  });

  test("are kept of others, used, and given up with their files", async () => {
    using data = new TemporaryTree();
    using tree = new TemporaryTree(files);
    const first = await later(() => digest(data, selection(tree, ["."])));
    expect(remembered(data)).toEqual([3, 3]);
    expect(await later(() => digest(data, selection(tree, ["."])))).toBe(first);
    rmSync(tree.at("src/a"));
    tree.add({ "src/d": "d", "src/e": "e" });
    const changed = await later(() => digest(data, selection(tree, ["."])));
    expect(changed).not.toBe(first);
    expect(remembered(data)).toEqual([3, 4]);
    using fresh = new TemporaryTree();
    expect(await digest(fresh, selection(tree, ["."]))).toBe(changed);
  });

  test("are not used for a file that has taken the name of another", async () => {
    using data = new TemporaryTree();
    using tree = new TemporaryTree({ a: "a", b: "b" });
    const both = await later(() => digest(data, selection(tree, ["a"])));
    renameSync(tree.at("b"), tree.at("a"));
    expect(await later(() => digest(data, selection(tree, ["a"])))).not.toBe(both);
  });

  test("of one selection do not push out those of another", async () => {
    using data = new TemporaryTree();
    using tree = new TemporaryTree(files);
    await later(() => digest(data, selection(tree, ["src/a"])));
    await later(() => digest(data, selection(tree, ["src/b", "other"])));
    expect(remembered(data)).toEqual([3, 3]);
  });
});
