/** The view of a made-up tree with mounts below it, each test in a mount namespace of its own. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { HostView } from "../../../src/mount/host-view.ts";
import { output } from "../../unprivileged-user.ts";

let directory: string;
let source: string;
let skeleton: string;
let store: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "view-"));
  [source, skeleton, store] = [join(directory, "source"), join(directory, "skeleton"), join(directory, "store")];
  for (const path of [source, skeleton, store, join(store, "writable")]) mkdirSync(path);
});
afterEach(() => rmSync(directory, { recursive: true }));

function put(path: string, content = path): void {
  mkdirSync(join(source, path, ".."), { recursive: true });
  writeFileSync(join(source, path), content);
}

/** A tree with a directory (`mixed`) below which there are mounts, and one (`plain`) without. */
function makeTree(): void {
  put("plain/file");
  put("plain/deep/er/file");
  put("mixed/beside");
  put("mixed/plain/file");
  put("mixed/bound/hidden");
  put("mixed/temporary/hidden");
  put("other/bound");
  symlinkSync("plain/file", join(source, "link"));
  symlinkSync("/nowhere", join(source, "mixed/dangling"));
  chmodSync(join(source, "plain"), 0o1777);
  output(["mkfifo", join(source, "mixed/fifo")]);
}

const mounts =
  'mount --bind "$source/other" "$source/mixed/bound"; mount -t tmpfs none "$source/mixed/temporary"; touch "$source/mixed/temporary/secret"';

/** Plans and, with a script, mounts and looks. The shell words of `before` run first in the namespace. */
function look(before: string, script?: string, viewed = source): { readonly plan: HostView; readonly said: string } {
  const command = [process.execPath, `${import.meta.dir}/fixtures/mount-host-view.ts`, viewed, skeleton, store];
  const words = [
    "sh",
    "-ec",
    `${before || ":"}; exec "$@"`,
    "sh",
    ...command,
    ...(script === undefined ? [] : [script]),
  ];
  const all = output(["env", `source=${source}`, `store=${store}`, "unshare", "--mount", ...words]);
  const end = all.indexOf("\n");
  return { plan: JSON.parse(all.slice(0, end)), said: all.slice(end + 1) };
}

const byPath = (one: { readonly path: string }, other: { readonly path: string }) => (one.path < other.path ? -1 : 1);

test("a tree without mounts below it is one overlay", () => {
  makeTree();
  chmodSync(source, 0o751);
  const { plan } = look("");
  expect(plan).toEqual({ source, places: [{ kind: "overlay", path: "/", lower: source, mode: 0o751 }] });
});

describe("a tree with mounts below it", () => {
  test("is put together of overlays, files, links and empty directories", () => {
    makeTree();
    const { plan } = look(mounts);
    const overlay = (path: string, mode = 0o755) => ({
      kind: "overlay" as const,
      path,
      lower: join(source, path),
      mode,
    });
    expect([...plan.places].sort(byPath)).toEqual([
      { kind: "file", path: "/mixed/beside", source: join(source, "mixed/beside") },
      overlay("/mixed/bound"),
      overlay("/mixed/plain"),
      overlay("/other"),
      overlay("/plain", 0o1777),
    ]);
    expect(lstatSync(join(skeleton, "link")).isSymbolicLink()).toBe(true);
    expect(lstatSync(join(skeleton, "mixed/temporary")).isDirectory()).toBe(true);
    expect(existsSync(join(skeleton, "mixed/fifo"))).toBe(false);
  });

  test("shows everything but kernel filesystems, and lets it be changed in the view only", () => {
    makeTree();
    const { said } = look(
      mounts,
      `cat link plain/deep/er/file mixed/beside mixed/plain/file mixed/bound/bound; echo
       readlink mixed/dangling; ls -A mixed/temporary; stat -c %a plain
       echo changed > plain/file; echo made > mixed/bound/made; rm mixed/plain/file; ls mixed/bound
       echo x 2>/dev/null >> mixed/beside || echo read-only`,
    );
    expect(said).toBe(
      "plain/fileplain/deep/er/filemixed/besidemixed/plain/fileother/bound\n/nowhere\n1777\nbound\nmade\nread-only\n",
    );
    expect(readFileSync(join(source, "plain/file"), "utf8")).toBe("plain/file");
    expect(readFileSync(join(source, "mixed/plain/file"), "utf8")).toBe("mixed/plain/file");
    expect(existsSync(join(source, "other/made"))).toBe(false);
  });
});

test("a directory whose name begins as a mounted one's does is whole", () => {
  put("a/file");
  put("ab/file");
  const { plan } = look('mount -t tmpfs none "$source/a"');
  expect(plan.places).toEqual([{ kind: "overlay", path: "/ab", lower: join(source, "ab"), mode: 0o755 }]);
});

test("mount points with names that mountinfo has to escape", () => {
  put("a b\\\n\tü/file");
  put("beside/file");
  const { plan } = look('mount -t tmpfs none "$(printf "%s/a b\\\\\\\\\\n\\tü" "$source")"');
  expect(plan.places).toEqual([{ kind: "overlay", path: "/beside", lower: join(source, "beside"), mode: 0o755 }]);
  expect(lstatSync(join(skeleton, "a b\\\n\tü")).isDirectory()).toBe(true);
});

test("a view never contains the files that it is made of", () => {
  put("plain/file");
  store = join(source, "data/bunker");
  skeleton = join(store, "skeleton");
  for (const path of [skeleton, join(store, "writable")]) mkdirSync(path, { recursive: true });
  put("data/beside/file");
  const { plan, said } = look("", "ls -A data/bunker; cat data/beside/file plain/file");
  expect([...plan.places].sort(byPath).map(({ path }) => path)).toEqual(["/data/beside", "/plain"]);
  expect(said).toBe("data/beside/fileplain/file");
});

test("a view of / hides homes, sockets and temporary files", () => {
  const { plan } = look("", undefined, "/");
  const paths = plan.places.map(({ path }) => path);
  for (const hidden of ["/proc", "/sys", "/dev", "/home", "/root", "/run", "/tmp", "/var/tmp", homedir()]) {
    expect(paths.filter((path) => path === hidden || path.startsWith(`${hidden}/`))).toEqual([]);
    expect(lstatSync(join(skeleton, hidden)).isDirectory()).toBe(true);
  }
  // Somewhere there is a program.
  expect(paths.some((path) => "/usr/bin".startsWith(path))).toBe(true);
});

describe("a view that is put together again", () => {
  test("shows what was changed before, also when the host has other mounts by then", () => {
    makeTree();
    const change = "echo changed >plain/file; echo new >mixed/plain/new; echo top >top";
    look(mounts, change);
    const more = `${mounts}; mkdir -p "$source/aaa/below"; mount -t tmpfs none "$source/aaa/below"`;
    expect(look(more, "cat plain/file mixed/plain/new top mixed/beside").said).toBe("changed\nnew\ntop\nmixed/beside");
    expect(readFileSync(join(source, "plain/file"), "utf8")).toBe("plain/file");
  });

  test.each([
    ["a directory", "mixed"],
    ["a file", "mixed/beside"],
    ["a link", "link"],
  ])("does not follow what the container has put in the place of %s", (_, path) => {
    makeTree();
    look(mounts);
    const victim = join(directory, "victim");
    writeFileSync(victim, "precious");
    const target = join(skeleton, path);
    rmSync(target, { recursive: true });
    if (path === "link") writeFileSync(target, "");
    else symlinkSync(path === "mixed" ? directory : victim, target);
    expect(() => look(mounts)).toThrow(/the container has put something else in its place/);
    expect(readFileSync(victim, "utf8")).toBe("precious");
  });
});
