import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LowerOption, OverlayMount, WritableLayer } from "../../../src/mount/overlay.ts";
import { output } from "../../unprivileged-user.ts";

setDefaultTimeout(60_000);

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

function overlay(lower: readonly string[], change: Partial<WritableLayer> = {}) {
  const changes = { upper: layer("upper"), work: layer("work"), volatile: false, ...change };
  return { lower, changes, target: layer("target") };
}

/** Mounts it in a mount namespace of its own and says what the script does there; `$target` is the mount point. */
function look(
  mount: OverlayMount,
  script: string,
  namespaces: readonly string[] = ["--mount"],
  ...option: LowerOption[]
): string {
  const command = [process.execPath, `${import.meta.dir}/fixtures/mount-overlay.ts`];
  const words = [directory, JSON.stringify(mount), script, ...option];
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
    expect(readFileSync(join(mount.changes.upper, "one"), "utf8")).toBe("new\n");
    const whiteout = lstatSync(join(mount.changes.upper, "two"));
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
  expect(readFileSync(join(mount.changes.upper, "one"), "utf8")).toBe("changed\n");
});

test.each(strange)("a directory called %j below names too long for options of their own", (name) => {
  const long = `${"x".repeat(200)}/${"y".repeat(100)}`;
  const mount = overlay([layer(`${long}/${name}`, { one: "1" }), layer(name, { two: "2" })], {
    upper: layer(`${long}/upper ${name}`),
    work: layer(`${long}/work ${name}`),
  });
  expect(look(mount, 'cd "$target"; cat one two; echo changed > one')).toBe("12");
  expect(readFileSync(join(mount.changes.upper, "one"), "utf8")).toBe("changed\n");
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

/** A thousand layers that no test changes, uppermost first; each has a file of its own and one with its number. */
let thousand: readonly string[];
let thousandDirectory: string;
beforeAll(() => {
  thousandDirectory = mkdtempSync(join(tmpdir(), "overlay-layers-"));
  thousand = Array.from({ length: 1000 }, (_, index) => {
    const path = join(thousandDirectory, String(index).padStart(64, "0"), "content");
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, `file-${index}`), "");
    writeFileSync(join(path, "last"), String(index));
    return path;
  });
}, 60_000);
afterAll(() => rmSync(thousandDirectory, { recursive: true }), 60_000);

const options: readonly LowerOption[] = ["lowerdir+", "lowerdir"];

describe.each(options)("told by %s", (option) => {
  // The most of an option's own names, of names that fit a page, of one stage, and beyond.
  test.each([1, 40, 500, 501, 999])("%d layers", (count) => {
    const mount = overlay(thousand.slice(0, count));
    const script = 'cd "$target"; ls | wc -l; cat last; echo new >last; rm file-0; ls -A | wc -l';
    expect(look(mount, script, ["--user", "--map-root-user", "--mount"], option)).toBe(`${count + 1}\n0${count}\n`);
    expect(readFileSync(join(mount.changes.upper, "last"), "utf8")).toBe("new\n");
    expect(lstatSync(join(mount.changes.upper, "file-0")).isCharacterDevice()).toBe(true);
  });

  test("what layers hide stays hidden, wherever they are merged", () => {
    // What is merged first begins behind the 499th.
    const hiding = [
      [0, 599],
      [100, 300],
      [498, 499],
      [520, 580],
    ] as const;
    const lower = [...thousand.slice(0, 600)];
    for (const [above, below] of hiding) {
      layer(`${above}/opaque-${above}`, { seen: "" });
      lower[above] = layer(String(above), { last: String(above), [`file-${above}`]: "" });
      output(["mknod", join(lower[above], `file-${below}`), "c", "0", "0"]);
      output(["setfattr", "-n", "user.overlay.opaque", "-v", "y", join(lower[above], `opaque-${above}`)]);
      layer(`${below}/opaque-${above}`, { hidden: "" });
      lower[below] = layer(String(below), { [`file-${below}`]: "" });
    }
    const script = 'cd "$target"; ls -d file-* | wc -l; echo opaque-*/*';
    expect(look(overlay(lower), script, ["--mount"], option)).toBe(
      "596\nopaque-0/seen opaque-100/seen opaque-498/seen opaque-520/seen\n",
    );
  });

  test("read-only, without a writable layer", () => {
    for (const count of [1, 2, 600]) {
      const mount = { ...overlay(thousand.slice(0, count)), changes: undefined };
      const script = 'cd "$target"; ls | wc -l; cat last; touch last 2>&1 | grep -o "Read-only file system"';
      const expected = `${count + 1}\n0Read-only file system\n`;
      for (const namespaces of [["--mount"], ["--user", "--map-root-user", "--mount"]]) {
        expect(look(mount, script, namespaces, option)).toBe(expected);
      }
    }
  });

  test("with changes in memory", () => {
    for (const count of [1, 600]) {
      const mount: OverlayMount = { ...overlay(thousand.slice(0, count)), changes: "memory" };
      const script = 'cd "$target"; mkdir -p made/below; echo new >last; rm file-0; ls | wc -l; cat last; stat -c %a .';
      expect(look(mount, script, ["--user", "--map-root-user", "--mount"], option)).toBe(`${count + 1}\nnew\n755\n`);
    }
    for (const name of ["target", "upper", "work"]) expect(readdirSync(join(directory, name))).toEqual([]);
  });

  test("a layer that is missing among many", () => {
    const lower = [...thousand.slice(0, 600), join(directory, "missing")];
    expect(look(overlay(lower), "echo mounted", ["--mount"], option)).toMatch(/^launch_failed: .*: ENOENT; /);
  });

  test("more than the kernel can be made to take", () => {
    expect(look(overlay(thousand), "echo mounted", ["--mount"], option)).toMatch(
      /^too_many_layers: mount overlay on \S+: 1000 layers are more than the 999 /,
    );
  });

  test("long names", () => {
    const long = `${"x".repeat(200)}/${"y".repeat(100)}`;
    const lower = Array.from({ length: 20 }, (_, index) => layer(`${long}/${index}`, { [`file-${index}`]: "" }));
    expect(look(overlay(lower), 'ls "$target" | wc -l', ["--mount"], option)).toBe("20\n");
  });
});

describe("a volatile mount's mark", () => {
  const expected =
    /^dirty_writable_layer: mount overlay on \S+\/target: the machine has gone down since its writable layer was mounted without waiting for the disk, so what it holds may be incomplete; create the container anew; its former changes are in \S+\/upper\n$/;

  describe.each([
    ["root", ["--mount"]],
    ["root of a user namespace", ["--user", "--map-root-user", "--mount"]],
  ])("as %s", (_, namespaces) => {
    test("means nothing while the machine runs", () => {
      const mount = overlay([layer("a")], { volatile: true });
      for (const round of [1, 2, 3]) {
        const script = 'echo x >>"$target/rounds"; wc -l <"$target/rounds"';
        expect(look(mount, script, namespaces)).toBe(`${round}\n`);
      }
    });

    test("is recognised after that, and the layer not used again", () => {
      const mount = overlay([layer("a")], { volatile: true });
      expect(look(mount, "echo mounted", namespaces)).toBe("mounted\n");
      writeFileSync(join(directory, "work.boot"), "of another boot\n");
      for (const volatile of [true, false, true]) {
        const again = { ...mount, changes: { ...mount.changes, volatile } };
        expect(look(again, "echo mounted", namespaces)).toMatch(expected);
      }
    });

    test("without a record of its boot is not trusted either", () => {
      const mount = overlay([layer("a")], { volatile: true });
      expect(look(mount, "echo mounted", namespaces)).toBe("mounted\n");
      rmSync(join(directory, "work.boot"));
      for (let round = 0; round < 2; round++) expect(look(mount, "echo mounted", namespaces)).toMatch(expected);
    });
  });

  test("is not left by a mount that waits for the disk", () => {
    const mount = overlay([layer("a")]);
    for (let round = 0; round < 2; round++) {
      expect(look(mount, `echo ${round} >>"$target/rounds"; cat "$target/rounds"`)).toBe(
        "0\n1\n".slice(0, 2 * round + 2),
      );
    }
  });
});

test("a directory that is missing is an error of the mount, with the hint", () => {
  const said = look(overlay([join(directory, "missing")]), "echo mounted");
  expect(said).toMatch(
    /^launch_failed: .*lowerdir\+=missing.* overlay on \S+\/target: ENOENT; overlay mounts of ordinary users need/,
  );
});
