import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { kindInLayers, readLayeredFile } from "../../../src/mount/layered-file.ts";
import { output } from "../../unprivileged-user.ts";

let directory: string;
let upper: string;
let lower: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "layers-"));
  [upper, lower] = [join(directory, "upper"), join(directory, "lower")];
  for (const layer of [upper, lower]) mkdirSync(layer);
});
afterEach(() => rmSync(directory, { recursive: true }));

function put(layer: string, path: string, content: string): void {
  mkdirSync(dirname(join(layer, path)), { recursive: true });
  writeFileSync(join(layer, path), content);
}

function link(layer: string, path: string, target: string): void {
  mkdirSync(dirname(join(layer, path)), { recursive: true });
  symlinkSync(target, join(layer, path));
}

function whiteout(layer: string, path: string): void {
  mkdirSync(dirname(join(layer, path)), { recursive: true });
  output(["mknod", join(layer, path), "c", "0", "0"]);
}

const read = (path = "etc/passwd") => readLayeredFile([upper, lower], path);

test("the uppermost layer that has the file wins", () => {
  put(lower, "etc/passwd", "lower");
  expect(read()).toBe("lower");
  put(upper, "etc/group", "other file");
  expect(read()).toBe("lower");
  put(upper, "etc/passwd", "upper ä");
  expect(read()).toBe("upper ä");
  put(upper, "etc/passwd", "");
  expect(read()).toBe("");
});

test("undefined when no layer has it, or there is no layer", () => {
  put(lower, "etc/group", "");
  expect(read()).toBeUndefined();
  expect(readLayeredFile([], "etc/passwd")).toBeUndefined();
  expect(readLayeredFile([join(directory, "missing")], "etc/passwd")).toBeUndefined();
});

describe("hidden by the upper layer", () => {
  beforeEach(() => put(lower, "etc/passwd", "lower"));

  test("a whiteout of the file", () => {
    whiteout(upper, "etc/passwd");
    expect(read()).toBeUndefined();
  });

  test("a whiteout of its directory", () => {
    whiteout(upper, "etc");
    expect(read()).toBeUndefined();
  });

  test("whiteouts where devices cannot be opened", () => {
    const script = `
      import { kindInLayers, readLayeredFile } from ${JSON.stringify(join(import.meta.dir, "../../../src/mount/layered-file.ts"))};
      console.log(readLayeredFile(process.argv.slice(1), "etc/passwd"));`;
    whiteout(upper, "etc/passwd");
    const command = 'mount --bind "$1" "$1" && mount -o remount,bind,nodev "$1" && exec "$2" -e "$3" "$4" "$5"';
    const words = ["sh", directory, process.execPath, script, upper, lower];
    expect(output(["unshare", "--mount", "sh", "-c", command, ...words])).toBe("undefined\n");
  });

  test("an opaque directory, but not what it has itself", () => {
    put(upper, "etc/group", "upper");
    output(["setfattr", "-n", "user.overlay.opaque", "-v", "y", join(upper, "etc")]);
    expect(read()).toBeUndefined();
    expect(read("etc/group")).toBe("upper");
  });

  test("an opaque directory further up", () => {
    put(lower, "usr/lib/passwd", "lower");
    put(upper, "usr/lib/other", "");
    output(["setfattr", "-n", "user.overlay.opaque", "-v", "y", join(upper, "usr")]);
    expect(read("usr/lib/passwd")).toBeUndefined();
  });

  test("a directory or a pipe in the file's place", () => {
    mkdirSync(join(upper, "etc/passwd"), { recursive: true });
    expect(read()).toBeUndefined();
    rmSync(join(upper, "etc/passwd"), { recursive: true });
    output(["mkfifo", join(upper, "etc/passwd")]);
    expect(read()).toBeUndefined();
  });

  test("a file in its directory's place", () => {
    put(upper, "etc", "not a directory");
    expect(read()).toBeUndefined();
  });

  test.each(["nowhere", "passwd", "/etc/passwd", "/proc/self/environ"])(
    "a link that leads nowhere here: %s",
    (target) => {
      link(upper, "etc/passwd", target);
      expect(read()).toBeUndefined();
    },
  );
});

describe("symbolic links inside the layer", () => {
  test.each(["../usr/lib/passwd", "/usr/lib/passwd", "../../../../usr/lib/passwd", "/lib/passwd"])(
    "to %s",
    (target) => {
      put(upper, "usr/lib/passwd", "through");
      link(upper, "lib", "usr/lib");
      link(upper, "etc/passwd", target);
      expect(read()).toBe("through");
    },
  );

  test("of a directory on the way", () => {
    put(upper, "private/etc/passwd", "through");
    link(upper, "etc", "/private/etc");
    expect(read()).toBe("through");
  });
});

test("hostile links do not lead out of the layer", () => {
  writeFileSync(join(directory, "secret"), "secret");
  for (const target of [join(directory, "secret"), "../../secret", "/../secret", "/proc/self/root/etc/passwd"]) {
    link(upper, "etc/passwd", target);
    expect(read()).toBeUndefined();
    rmSync(join(upper, "etc/passwd"));
  }
  link(upper, "etc/root", "/");
  expect(read("etc/root/../secret")).toBeUndefined();
  expect(read("../secret")).toBeUndefined();
});

test("a huge file is not read", () => {
  put(upper, "etc/passwd", "");
  truncateSync(join(upper, "etc/passwd"), 2 ** 40);
  expect(read()).toBeUndefined();
  truncateSync(join(upper, "etc/passwd"), 16 * 2 ** 20);
  expect(read()?.length).toBe(16 * 2 ** 20);
});

test("a file that the caller may not read hides the lower one all the same", () => {
  put(lower, "etc/passwd", "lower");
  put(upper, "etc/passwd", "upper");
  chmodSync(directory, 0o755);
  chmodSync(join(upper, "etc/passwd"), 0);
  const path = join(import.meta.dir, "../../../src/mount/layered-file.ts");
  const script = `import { kindInLayers, readLayeredFile } from ${JSON.stringify(path)};
    console.log(readLayeredFile(process.argv.slice(1), "etc/passwd"));`;
  const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  expect(output([...nobody, process.execPath, "-e", script, upper, lower])).toBe("undefined\n");
});

test("what there is at a path is told without a look into it", () => {
  put(lower, "data/file", "");
  put(lower, "gone/file", "");
  whiteout(upper, "gone");
  link(upper, "link", "/etc");
  put(upper, "etc/file", "");
  const kind = (path: string) => kindInLayers([upper, lower], path);
  expect(["data", "data/file", "gone", "gone/file", "link", "none"].map(kind)).toEqual([
    "directory",
    "file",
    undefined,
    undefined,
    "directory",
    undefined,
  ]);
});
