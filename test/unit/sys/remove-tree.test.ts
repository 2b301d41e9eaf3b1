import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteString } from "../../../src/sys/byte-string.ts";
import { makeDirectoryAt, openAt } from "../../../src/sys/file.ts";
import { FileDescriptor } from "../../../src/sys/file-descriptor.ts";
import { AT_FDCWD, OpenFlag } from "../../../src/sys/open.ts";
import { removeTree } from "../../../src/sys/remove-tree.ts";
import { check } from "../../../src/sys/system-call.ts";

const isRoot = process.getuid?.() === 0;
const module = join(import.meta.dir, "../../../src/sys/remove-tree.ts");

let path = "";
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "bunker-remove-"));
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

/** Removes `target` in a process of its own; what went wrong, empty if nothing. */
function removeElsewhere(target: string, command: readonly string[] = []): string {
  const script = `const { removeTree } = await import("${module}"); removeTree(process.argv[1])`;
  const { stderr } = Bun.spawnSync([...command, process.execPath, "-e", script, target], { stderr: "pipe" });
  return stderr.toString();
}

describe("a tree", () => {
  test("goes with everything in it, and nothing else", () => {
    mkdirSync(`${path}/outside`);
    writeFileSync(`${path}/outside/kept`, "kept");
    mkdirSync(`${path}/tree/a/b/c`, { recursive: true });
    symlinkSync(`${path}/outside`, `${path}/tree/a/link`);
    symlinkSync("/none", `${path}/tree/dangling`);
    linkSync(`${path}/outside/kept`, `${path}/tree/a/b/hard`);
    writeFileSync(Buffer.concat([Buffer.from(`${path}/tree/\n`), Buffer.from([0xff])]), "x");
    for (let index = 0; index < 3000; index++) writeFileSync(`${path}/tree/a/b/c/${index}`, "");
    removeTree(`${path}/tree/`);
    expect(readdirSync(path)).toEqual(["outside"]);
    expect(readFileSync(`${path}/outside/kept`, "utf8")).toBe("kept");
  });

  test("is gone while its directories are still open, where they are asked for", () => {
    mkdirSync(join(path, "tree/a/b"), { recursive: true });
    writeFileSync(join(path, "tree/a/file"), "");
    const kept: FileDescriptor[] = [];
    removeTree(join(path, "tree"), (directory) => kept.push(directory));
    expect(readdirSync(path)).toEqual([]);
    // The innermost comes first; each without a name.
    const names = kept.map(({ number }) => readlinkSync(`/proc/self/fd/${number}`));
    expect(names).toEqual(["tree/a/b", "tree/a", "tree"].map((name) => `${join(path, name)} (deleted)`));
    for (const directory of kept) directory.close();
  });

  test("may be a file, a link or nothing", () => {
    mkdirSync(`${path}/kept`);
    symlinkSync("kept", `${path}/link`);
    writeFileSync(`${path}/file`, "");
    for (const name of ["link", "file", "none", "none/below"]) removeTree(`${path}/${name}`);
    expect(readdirSync(path)).toEqual(["kept"]);
  });

  test("may be deeper than descriptors and paths reach", () => {
    const flags = OpenFlag.O_PATH | OpenFlag.O_DIRECTORY;
    let current = new FileDescriptor(check(openAt(AT_FDCWD, path as ByteString, flags), "open"));
    const name = "directory" as ByteString;
    for (let depth = 0; depth < 3000; depth++) {
      check(makeDirectoryAt(current.number, name, 0o755), "create");
      const next = new FileDescriptor(check(openAt(current.number, name, flags), "open"));
      current.close();
      current = next;
    }
    current.close();
    removeTree(`${path}/directory`);
    expect(readdirSync(path)).toEqual([]);
  });

  test("may have directories that their owner may not enter", () => {
    mkdirSync(`${path}/tree/closed/inner`, { recursive: true });
    mkdirSync(`${path}/tree/fixed`);
    writeFileSync(`${path}/tree/closed/inner/f`, "");
    writeFileSync(`${path}/tree/fixed/f`, "");
    chmodSync(path, 0o755);
    if (isRoot) Bun.spawnSync(["chown", "-R", "65534:65534", path]);
    chmodSync(`${path}/tree/closed/inner`, 0);
    chmodSync(`${path}/tree/closed`, 0);
    chmodSync(`${path}/tree/fixed`, 0o500);
    const nobody = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
    expect(removeElsewhere(`${path}/tree`, nobody)).toBe("");
    expect(existsSync(`${path}/tree`)).toBe(false);
  });

  test("may be removed by several at once", async () => {
    for (let index = 0; index < 2000; index++) mkdirSync(`${path}/tree/${index % 20}/${index}`, { recursive: true });
    const script = `const { removeTree } = await import("${module}"); removeTree(process.argv[1])`;
    const processes = Array.from({ length: 3 }, () => Bun.spawn([process.execPath, "-e", script, `${path}/tree`]));
    expect(await Promise.all(processes.map((process) => process.exited))).toEqual([0, 0, 0]);
    expect(existsSync(`${path}/tree`)).toBe(false);
  });

  test("that something is mounted in is left alone from there on", () => {
    mkdirSync(`${path}/tree/mounted`, { recursive: true });
    const script = [
      `mount -t tmpfs tmpfs ${path}/tree/mounted && touch ${path}/tree/mounted/kept`,
      `"$0" -e 'const { removeTree } = await import("${module}"); removeTree("${path}/tree")'`,
      `ls ${path}/tree/mounted`,
    ].join("\n");
    const namespaces = isRoot ? ["unshare", "-m"] : ["unshare", "-Urm"];
    const { stdout, stderr } = Bun.spawnSync([...namespaces, "sh", "-c", script, process.execPath], { stderr: "pipe" });
    expect(stderr.toString()).toContain('open the directory "mounted": EXDEV');
    expect(stdout.toString()).toBe("kept\n");
  });
});
