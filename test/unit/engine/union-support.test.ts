import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { output } from "../../unprivileged-user.ts";

setDefaultTimeout(60_000);

let directory: string;
let data: string;
let record: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "union-support-"));
  data = join(directory, "data");
  record = join(data, "union-support.json");
});
afterEach(() => rmSync(directory, { recursive: true }));

const USER_NAMESPACE = ["--user", "--map-root-user", "--mount"];

/** What `unionSupport` finds, in namespaces of its own, after a script there has prepared things. */
function find(namespaces: readonly string[] = ["--mount"], prepare = ":") {
  const script = `mkdir -p "$data"\n${prepare}\nexec "$@"`;
  const program = [process.execPath, `${import.meta.dir}/fixtures/union-support.ts`, data];
  const words = ["env", `data=${data}`, "unshare", ...namespaces, "sh", "-ec", script, "sh", ...program];
  return JSON.parse(output(words));
}

describe.each([
  ["root", ["--mount"]],
  ["root of a user namespace", USER_NAMESPACE],
  // What happens to everybody else: the attempt makes the user namespace itself.
  ["a user", ["--user", "--map-user=1000", "--map-group=1000", "--mount"]],
] as const)("as %s", (_, namespaces) => {
  test("the overlay of this machine's kernel works, and is remembered", () => {
    const found = find(namespaces);
    expect(found.overlay).toEqual({ works: true });
    expect(JSON.parse(readFileSync(record, "utf8"))).toMatchObject({ kernel: release(), support: found });
    expect(readdirSync(join(data, "tmp"))).toEqual([]);
    expect(find(namespaces)).toEqual(found);
  });
});

describe("the record", () => {
  const written = () => JSON.parse(readFileSync(record, "utf8"));
  const invented = { works: false, failure: "invented" };

  test("is believed while kernel and filesystem are the same", () => {
    find();
    writeFileSync(record, JSON.stringify({ ...written(), support: { ...written().support, fuse: invented } }));
    expect(find().fuse).toEqual(invented);
  });

  test.each<[what: string, change: (record: Record<string, unknown>) => string]>([
    ["of another kernel", (old) => JSON.stringify({ ...old, kernel: "5.4.0" })],
    ["of another filesystem", (old) => JSON.stringify({ ...old, fileSystem: "1:2" })],
    ["of another form", (old) => JSON.stringify({ ...old, support: { overlay: "yes" } })],
    ["cut in the middle", (old) => JSON.stringify(old).slice(0, 40)],
    ["that is empty", () => ""],
  ])("%s is not", (_, change) => {
    find();
    const { support, ...rest } = written();
    writeFileSync(record, change({ ...rest, support: { ...support, fuse: invented } }));
    expect(find()).toEqual(support);
    expect(written()).toEqual({ ...rest, support });
  });
});

describe("where the overlay cannot be had", () => {
  // An overlay takes no overlay for its writable layer.
  const onOverlay = `
    mkdir "$data/../lower" "$data/../upper" "$data/../work"
    mount -t overlay -o "lowerdir=$data/../lower,upperdir=$data/../upper,workdir=$data/../work" overlay "$data"
    `;

  test.each([
    ["root", ["--mount"]],
    ["root of a user namespace", USER_NAMESPACE],
  ] as const)("the failure is told and not remembered: %s", (_, namespaces) => {
    const found = find(namespaces, onOverlay);
    expect(found.overlay).toEqual({ works: false, failure: expect.stringMatching(/mount overlay on .*: E[A-Z]+$/) });
    expect(existsSync(join(directory, "upper/union-support.json"))).toBe(false);
    expect(find(namespaces).overlay).toEqual({ works: true });
  });

  test("nothing can be tried without user namespaces", () => {
    const limit = "echo 0 >/proc/sys/user/max_user_namespaces";
    const found = find(
      ["--user", "--map-root-user", "--mount"],
      `${limit}; set -- setpriv --bounding-set=-all --inh-caps=-all -- "$@"`,
    );
    expect(found).toEqual({ code: "no_user_namespace", message: "make a user namespace: ENOSPC" });
    expect(existsSync(record)).toBe(false);
  });

  test("a full disk", () => {
    const found = find(["--mount"], 'mount -t tmpfs -o size=4k,nr_inodes=6 tmpfs "$data"');
    expect(found).toEqual({ code: "store_unusable", message: expect.stringMatching(/^try mounts in .*: ENOSPC$/) });
  });
});

test("where FUSE cannot be had", () => {
  expect(find(["--mount"], "mount --bind /dev/null /dev/fuse").fuse).toEqual({
    works: false,
    failure: expect.stringMatching(/^mount FUSE on .*: EINVAL$/),
  });
  rmSync(record);
  expect(find(["--mount"], "mount -t tmpfs tmpfs /dev; mknod -m 666 /dev/null c 1 3").fuse).toEqual({
    works: false,
    failure: "open /dev/fuse: ENOENT",
  });
});
