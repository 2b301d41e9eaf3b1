import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { LaunchProgram } from "../../../../src/launch/program.ts";
import { openDirectory } from "../../../../src/runtime/steps/files.ts";
import { openOrMake } from "../../../../src/runtime/steps/open-or-make.ts";
import { runProgram, unexpected } from "../../launch/run-program.ts";

type Kind = "directory" | "file";

let outside = "";
let root = "";
beforeEach(() => {
  outside = mkdtempSync(join(tmpdir(), "bunker-open-or-make-"));
  root = join(outside, "root");
  mkdirSync(root);
  writeFileSync(join(outside, "victim"), "");
});
afterEach(() => rmSync(outside, { recursive: true }));

/** Makes symbolic links in the root, with their directories. */
function makeLinks(links: Readonly<Record<string, string>>): void {
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    symlinkSync(target, join(root, path));
  }
}

/** Opens or makes paths in one program; gives the failure's message, if there is one. */
function openAll(...paths: readonly (readonly [path: string, kind: Kind])[]): string | undefined {
  using program = new LaunchProgram();
  program.call("umask", [0], unexpected);
  const directory = openDirectory(program, root, "root");
  for (const [path, kind] of paths) {
    const opened = openOrMake(program, directory, path, kind);
    program.call("close", [opened], unexpected);
    program.release(opened);
  }
  const over = program.label("over");
  program.jump(over);
  program.place(over);
  program.placeSubroutines();
  program.call("exit_group", [0], unexpected);
  const { failure, end } = runProgram(program);
  expect(end).toEqual({ exitCode: failure === undefined ? 0 : 127 });
  return failure?.message;
}

/** Everything below a directory but links, by path: its kind and mode. */
function contents(directory = root, prefix = ""): Record<string, string> {
  return Object.fromEntries(
    readdirSync(directory).flatMap((name) => {
      const status = lstatSync(join(directory, name));
      if (status.isSymbolicLink()) return [];
      const own = [`${prefix}/${name}`, `${status.isDirectory() ? "d" : "f"}${(status.mode & 0o7777).toString(8)}`];
      const below = status.isDirectory() ? Object.entries(contents(join(directory, name), `${prefix}/${name}`)) : [];
      return [own, ...below];
    }),
  );
}

function expectNothingOutside(): void {
  expect(readdirSync(outside).sort()).toEqual(["root", "victim"]);
  expect(lstatSync(join(outside, "victim")).size).toBe(0);
}

describe("without links", () => {
  test("what is missing is made, and what is there stays", () => {
    mkdirSync(join(root, "there"), { mode: 0o700 });
    expect(openAll(["/there/a/b", "directory"], ["//there//c/", "directory"], ["/x/y/file", "file"])).toBeUndefined();
    expect(contents()).toEqual({
      "/there": "d700",
      "/there/a": "d755",
      "/there/a/b": "d755",
      "/there/c": "d755",
      "/x": "d755",
      "/x/y": "d755",
      "/x/y/file": "f644",
    });
  });

  test("names of every length, up to the kernel's limit", () => {
    const names = Array.from({ length: 9 }, (_, index) => "n".repeat(index + 1));
    const long = Array.from({ length: 16 }, () => "l".repeat(240));
    expect(openAll([`/${names.join("/")}`, "directory"], [`/${long.join("/")}`, "file"])).toBeUndefined();
    expect(contents()[`/${names.join("/")}`]).toBe("d755");
    expect(contents()[`/${long.join("/")}`]).toBe("f644");
  });

  test("a file on the way", () => {
    writeFileSync(join(root, "file"), "");
    expect(openAll(["/file/below", "directory"])).toBe("open in the root file system /file/below: ENOTDIR");
    expectNothingOutside();
  });
});

describe("links to what is missing", () => {
  test.each<[what: string, links: Record<string, string>, path: string, kind: Kind, made: Record<string, string>]>([
    ["absolute", { "etc/a": "/run/b" }, "/etc/a", "file", { "/run/b": "f644" }],
    ["relative", { "etc/a": "b/c" }, "/etc/a", "file", { "/etc/b/c": "f644" }],
    [
      "systemd's",
      { "etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf" },
      "/etc/resolv.conf",
      "file",
      { "/run/systemd/resolve/stub-resolv.conf": "f644" },
    ],
    ["to a directory", { a: "b/c" }, "/a", "directory", { "/b/c": "d755" }],
    ["on the way", { "etc/a": "/b/c" }, "/etc/a/d/e", "file", { "/b/c/d/e": "f644" }],
    ["at the top", { a: "b" }, "/a", "file", { "/b": "f644" }],
    ["climbing", { "etc/a": "../../../../../victim" }, "/etc/a", "file", { "/victim": "f644" }],
    ["climbing on the way", { "etc/a": "../../../new" }, "/etc/a/b", "directory", { "/new/b": "d755" }],
    ["climbing below what is missing", { a: "b/../../../c/d" }, "/a", "file", { "/b": "d755", "/c/d": "f644" }],
    ["with slashes and dots", { a: ".//b/./c//" }, "/a", "directory", { "/b/c": "d755" }],
    ["chained", { a: "b", b: "/c/d", "c/d": "../e", e: "f/g" }, "/a", "file", { "/f/g": "f644" }],
    ["chained directories", { a: "b/x", b: "c/y", c: "d" }, "/a/z", "directory", { "/d/y/x/z": "d755" }],
    ["of 39 links", Object.fromEntries(chain(39)), "/l0", "directory", { "/end/of/it": "d755" }],
  ])("%s", (_, links, path, kind, made) => {
    makeLinks(links);
    expect(openAll([path, kind], [path, kind])).toBeUndefined();
    expect(contents()).toMatchObject(made);
    expectNothingOutside();
  });

  test("several in one program", () => {
    makeLinks({ a: "x/1", b: "x/2" });
    expect(openAll(["/a", "file"], ["/c", "directory"], ["/b/d", "file"])).toBeUndefined();
    expect(contents()).toEqual({ "/c": "d755", "/x": "d755", "/x/1": "f644", "/x/2": "d755", "/x/2/d": "f644" });
  });
});

describe("links that cannot be followed", () => {
  test.each<[what: string, links: Record<string, string>, path: string]>([
    ["to itself", { a: "a" }, "/a"],
    ["in a circle", { a: "b", b: "c/../a", c: "/" }, "/a"],
    ["in a circle on the way", { a: "/b", b: "/a" }, "/a/b/c"],
    // Each name that is made would be below the link's own text again.
    ["growing", { a: "a/b" }, "/a"],
    ["growing behind a missing directory", { a: "b/../a/c" }, "/a"],
    ["in too long a chain", Object.fromEntries(chain(60)), "/l0"],
  ])("%s", (_, links, path) => {
    makeLinks(links);
    for (const kind of ["directory", "file"] as const) {
      expect(openAll([path, kind])).toMatch(/^(open|make) in the root file system \/[^:]*: ELOOP$/);
    }
    expectNothingOutside();
  });

  test("a magic link of /proc", () => {
    makeLinks({ a: "/proc/self/root/new" });
    expect(openAll(["/a", "file"])).toBeUndefined();
    // Not the host's /proc: a directory of that name in the root.
    expect(contents()["/proc/self/root/new"]).toBe("f644");
    expectNothingOutside();
  });

  test("a target that is not text for a path", () => {
    makeLinks({ a: `b/${"n".repeat(256)}` });
    expect(openAll(["/a", "directory"])).toMatch(/ENAMETOOLONG$/);
    expectNothingOutside();
  });
});

/** A chain of so many links, the first of which is /l0, to what is missing. */
function chain(length: number): [string, string][] {
  return Array.from({ length }, (_, index) => [`l${index}`, index === length - 1 ? "end/of/it" : `l${index + 1}`]);
}
