import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OverlayMount } from "../../../src/mount/overlay.ts";
import { output } from "../../unprivileged-user.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "overlay-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Makes a directory with files, each with its own name as content unless given otherwise. */
function layer(name: string, files: Readonly<Record<string, string>> = {}): string {
  const path = join(directory, name);
  mkdirSync(path, { recursive: true });
  for (const [file, content] of Object.entries(files)) writeFileSync(join(path, file), content);
  return path;
}

function overlay(lower: readonly string[], change: Partial<OverlayMount> = {}): OverlayMount {
  const [upper, work, target] = [layer("upper"), layer("work"), layer("target")];
  return { lower, upper, work, target, volatile: false, ...change };
}

/** Mounts it in a mount namespace of its own and says what the script does there; `$target` is the mount point. */
function look(mount: OverlayMount, script: string, namespaces: readonly string[] = ["--mount"]): string {
  const command = [process.execPath, `${import.meta.dir}/fixtures/mount-overlay.ts`];
  const words = [directory, JSON.stringify(mount), script];
  return output(["env", `target=${mount.target}`, "unshare", ...namespaces, ...command, ...words]);
}

const describeMount = 'grep " $target " /proc/self/mountinfo | sed "s/.* - //"';

describe.each([
  ["root", ["--mount"]],
  ["root of a user namespace", ["--user", "--map-root-user", "--mount"]],
])("as %s", (_, namespaces) => {
  test("the uppermost layer wins, and what is changed goes to the upper directory", () => {
    const lower = [layer("a", { one: "a1" }), layer("b", { one: "b1", two: "b2", three: "b3" })];
    const mount = overlay(lower);
    const script = 'cd "$target"; cat one two three; echo new > one; rm two; mkdir made; ls | tr "\\n" " "';
    expect(look(mount, script, namespaces)).toBe("a1b2b3made one three ");
    expect(readFileSync(join(mount.upper, "one"), "utf8")).toBe("new\n");
    const whiteout = lstatSync(join(mount.upper, "two"));
    expect([whiteout.isCharacterDevice(), whiteout.rdev]).toEqual([true, 0]);
    expect(readFileSync(join(lower[0] ?? "", "one"), "utf8")).toBe("a1");
    expect(existsSync(join(lower[1] ?? "", "two"))).toBe(true);
    // The mount was the namespace's, and is gone with it.
    expect(existsSync(join(mount.target, "one"))).toBe(false);
  });

  test("the marks of layers are understood in the form that users may write", () => {
    const lower = [layer("a"), layer("b", { gone: "b", stays: "b" }), layer("b/opaque", { hidden: "b" })];
    output(["mknod", join(directory, "a/gone"), "c", "0", "0"]);
    layer("a/opaque", { seen: "a" });
    output(["setfattr", "-n", "user.overlay.opaque", "-v", "y", join(directory, "a/opaque")]);
    expect(look(overlay(lower.slice(0, 2)), 'cd "$target"; echo * opaque/*', namespaces)).toBe(
      "opaque stays opaque/seen\n",
    );
  });
});

test("devices of the layers do not work, and volatile is as asked for", () => {
  const lower = [layer("a")];
  output(["mknod", join(directory, "a/zero"), "c", "1", "5"]);
  const script = `head -c 1 "$target/zero" 2>&1 | grep -o "Permission denied"; ${describeMount}`;
  expect(look(overlay(lower), script)).toMatch(/^Permission denied\noverlay overlay [^\n]*\n$/);
  expect(look(overlay(lower), describeMount)).not.toContain("volatile");
  expect(look(overlay(lower, { volatile: true }), describeMount)).toContain("volatile");
});

const strange = ["colon:", "comma,", "back\\slash", "space and ü", "quote'\"", "two::,,\\\\", "-dash", "..dots"];

test.each(strange)("a directory called %j", (name) => {
  const mount = overlay([layer(`lower ${name}`, { one: "1" }), layer(name, { two: "2" })], {
    upper: layer(`upper ${name}`),
    work: layer(`work ${name}`),
  });
  expect(look(mount, 'cd "$target"; cat one two; echo changed > one; cat one')).toBe("12changed\n");
  expect(readFileSync(join(mount.upper, "one"), "utf8")).toBe("changed\n");
});

test.each(strange)("a directory called %j below names too long for options of their own", (name) => {
  const long = `${"x".repeat(200)}/${"y".repeat(100)}`;
  const mount = overlay([layer(`${long}/${name}`, { one: "1" }), layer(name, { two: "2" })], {
    upper: layer(`${long}/upper ${name}`),
    work: layer(`${long}/work ${name}`),
  });
  expect(look(mount, 'cd "$target"; cat one two; echo changed > one')).toBe("12");
  expect(readFileSync(join(mount.upper, "one"), "utf8")).toBe("changed\n");
});

test("directories outside the base", () => {
  const outside = mkdtempSync(join(tmpdir(), "outside-"));
  try {
    writeFileSync(join(outside, "one"), "1");
    expect(look(overlay([outside]), 'cat "$target/one"')).toBe("1");
  } finally {
    rmSync(outside, { recursive: true });
  }
});

test("a hundred layers with names of usual length", () => {
  const lower = Array.from({ length: 100 }, (_, index) =>
    layer(`layers/${String(index).padStart(64, "0")}/content`, { [`file-${index}`]: "", last: String(index) }),
  );
  expect(look(overlay(lower), 'ls "$target" | wc -l; cat "$target/last"')).toBe("101\n0");
});

test("names that no form of the call can take are refused with their size", () => {
  const lower = Array.from({ length: 20 }, (_, index) => layer(`${"x".repeat(200)}/${"y".repeat(100)}/${index}`));
  expect(look(overlay(lower), "echo mounted")).toMatch(
    /^overlay_too_long: mount overlay on \S+: its 20 layers need \d+ bytes of options, and this kernel takes 4095; /,
  );
});

test("a directory that is missing is an error of the mount, with the hint", () => {
  const said = look(overlay([join(directory, "missing")]), "echo mounted");
  expect(said).toMatch(
    /^launch_failed: .*lowerdir\+=missing.* overlay on \S+\/target: ENOENT; overlay mounts of ordinary users need/,
  );
});
