import { describe, expect, test } from "bun:test";
import { chownSync, existsSync, lstatSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ChangedRoot, FileOperation } from "../../../../src/build/files/change-files.ts";
import type { FileSelection, FileSource } from "../../../../src/build/files/file-source.ts";
import { TemporaryTree } from "./trees.ts";

const fixture = join(import.meta.dir, "fixtures/file-work.ts");

/** Has the fixture do something in processes of its own. */
function work(command: "change" | "key", place: TemporaryTree, request: object): unknown {
  mkdirSync(place.at("staging"), { recursive: true });
  const where = { data: place.path, mapping: "full", staging: place.at("staging") };
  const input = Buffer.from(JSON.stringify({ ...request, where }));
  const { stdout, stderr } = Bun.spawnSync([process.execPath, fixture, command], { stdin: input });
  if (stderr.length > 0) throw new Error(stderr.toString());
  return JSON.parse(stdout.toString());
}

function change(place: TemporaryTree, root: ChangedRoot, ...operations: FileOperation[]): unknown {
  return work("change", place, { root, operations });
}

function selectionOf(source: FileSource, paths: string[]): FileSelection {
  return { source, paths, excluded: [], keepsParents: false };
}

function copyOf(source: FileSource, paths: string[], destination: string, stamp?: string): FileOperation {
  const part = { ...selectionOf(source, paths), unpacks: false, stamp };
  return { kind: "copy", parts: [part], destination, owner: undefined, mode: undefined };
}

/** A stage of two layers, of which the upper one has removed something. */
function stage(place: TemporaryTree): { readonly kind: "layers"; readonly layers: readonly string[] } {
  place.add({ "low/etc/removed": "x", "low/etc/kept": "kept", "low/link": "-> /etc", "high/etc/new": "new" });
  expect(Bun.spawnSync(["mknod", place.at("high/etc/removed"), "c", "0", "0"]).exitCode).toBe(0);
  chownSync(place.at("low/etc/kept"), 11, 12);
  return { kind: "layers", layers: [place.at("high"), place.at("low")] };
}

describe("a new layer", () => {
  test("has what is copied from a stage to itself, and nothing else", () => {
    using place = new TemporaryTree();
    const source = stage(place);
    const root = { lower: source.layers, upper: place.at("upper"), work: place.at("work") };
    const operations = [
      copyOf(source, ["/link/"], "/link/copy"),
      { kind: "make-directory", path: "/etc/made", owner: undefined } as const,
    ];
    expect(change(place, root, ...operations)).toEqual({ size: 7, warnings: [] });
    const made = Object.keys(place.describe()).filter((name) => name.startsWith("upper/"));
    expect(made).toEqual(["upper/etc/copy/kept", "upper/etc/copy/new", "upper/etc/made/"]);
    const { uid, gid } = statSync(place.at("upper/etc/copy/kept"));
    expect([uid, gid]).toEqual([11, 12]);
    expect(lstatSync(place.at("upper")).mode).toBe(0o040755);
  });

  test("on no other has the directories above its files", () => {
    using place = new TemporaryTree({ "context/a": "a" });
    const source = { kind: "directory", path: place.at("context"), ignored: [] } as const;
    const root = { lower: [], upper: place.at("upper"), work: place.at("work") };
    change(place, root, copyOf(source, ["a"], "/deep/down/"));
    expect(statSync(place.at("upper/deep/down/a")).size).toBe(1);
    expect(existsSync(place.at("work"))).toBe(false);
  });

  test("does not belong under the key of other files", () => {
    using place = new TemporaryTree({ "context/a": "a" });
    const source = { kind: "directory", path: place.at("context"), ignored: [] } as const;
    const key = work("key", place, { selection: selectionOf(source, ["a"]) }) as { readonly stamp: string };
    const root = (name: string) => ({ lower: [], upper: place.at(name), work: place.at("work") });
    change(place, root("first"), copyOf(source, ["a"], "/", key.stamp));
    place.add({ "context/a": "b" });
    expect(() => change(place, root("second"), copyOf(source, ["a"], "/", key.stamp))).toThrow(/changed them since/);
  });

  test("cannot be made of what is not there: the failure comes from the process", () => {
    using place = new TemporaryTree();
    const source = stage(place);
    const root = { lower: source.layers, upper: place.at("upper"), work: place.at("work") };
    expect(() => change(place, root, copyOf(source, ["/etc/removed"], "/x"))).toThrow(
      /find "\/etc\/removed": not found/,
    );
  });
});

describe("the key of files of a stage", () => {
  test("is that of what its layers show together", () => {
    using place = new TemporaryTree();
    const key = (source: FileSource) => work("key", place, { selection: selectionOf(source, ["/etc"]) });
    const together = key(stage(place));
    place.add({ "flat/etc/kept": "kept", "flat/etc/new": "new" });
    const flat = { kind: "layers", layers: [place.at("flat")] } as const;
    expect(key(flat)).not.toMatchObject({ digest: (together as { readonly digest: string }).digest });
    chownSync(place.at("flat/etc/kept"), 11, 12);
    expect(key(flat)).toMatchObject({ digest: (together as { readonly digest: string }).digest });
    expect(readdirSync(place.at("staging")).length).toBeGreaterThan(0);
  });

  test("of an empty root file system is that of nothing", () => {
    using place = new TemporaryTree();
    const empty = { kind: "layers", layers: [] } as const;
    expect(() => work("key", place, { selection: selectionOf(empty, ["/x"]) })).toThrow(/find "\/x": not found/);
  });
});
