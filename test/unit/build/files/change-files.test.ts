import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import * as v from "valibot";
import { changeFilesHere } from "../../../../src/build/files/change-files-here.ts";
import { type ChangeFilesRequest, changeFilesRequestSchema } from "../../../../src/build/files/change-files-request.ts";
import { contentKeyOf } from "../../../../src/build/files/content-key.ts";
import type { ByteString } from "../../../../src/sys/byte-string.ts";
import { getAttribute, setAttribute, setUmask } from "../../../../src/sys/file.ts";
import { TemporaryTree, type TreeDescription } from "./trees.ts";

const umask = process.umask();
afterAll(() => void setUmask(umask));

type Copy = Extract<ChangeFilesRequest["operations"][number], { kind: "copy" }>;
type Part = Extract<Copy["parts"][number], { kind: "tree" }>;

interface CopyOptions extends Partial<Omit<Part, "kind" | "root">> {
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly mode?: string;
}

const never = new AbortController().signal;

async function change(target: TemporaryTree, ...operations: ChangeFilesRequest["operations"]) {
  const request = { target: target.root, mapping: "full", operations, time: 1_000_000_000 };
  return await changeFilesHere(v.parse(changeFilesRequestSchema, request));
}

function copyOf(source: TemporaryTree, paths: string[], destination: string, options: CopyOptions = {}): Copy {
  const { owner, mode, ...part } = options;
  return {
    kind: "copy",
    parts: [
      {
        kind: "tree",
        root: source.root,
        owners: "root",
        ignored: [],
        paths,
        excluded: [],
        keepsParents: false,
        unpacks: false,
        ...part,
      },
    ],
    destination,
    owner,
    mode,
  };
}

const app: TreeDescription = {
  "app/index.js": "index",
  "app/lib/a.js": "a",
  "app/lib/b.txt": "b",
  "app/link": "-> lib/a.js",
  "app/empty/": "",
  "home.txt": "home",
  "homepage.md": "page",
  "hostile/passwd": "-> ../../../../etc/passwd",
  "hostile/absolute": "-> /app/index.js",
  "to-app": "-> app",
};

/** What is copied to an empty root file system, unless more is there already. */
const copies: readonly {
  readonly what: string;
  readonly paths: string[];
  readonly destination: string;
  readonly options?: CopyOptions;
  readonly before?: TreeDescription;
  readonly after: TreeDescription;
}[] = [
  { what: "a file to a name", paths: ["home.txt"], destination: "/srv/x", after: { "srv/x": "home" } },
  { what: "a file to a directory", paths: ["home.txt"], destination: "/srv/", after: { "srv/home.txt": "home" } },
  {
    what: "a file to a directory that is there",
    paths: ["home.txt"],
    destination: "/srv",
    before: { "srv/": "" },
    after: { "srv/home.txt": "home" },
  },
  {
    what: "the content of a directory",
    paths: ["app"],
    destination: "/srv",
    after: {
      "srv/empty/": "",
      "srv/index.js": "index",
      "srv/lib/a.js": "a",
      "srv/lib/b.txt": "b",
      "srv/link": "-> lib/a.js",
    },
  },
  {
    what: "what a link names",
    paths: ["to-app/lib", "hostile/absolute"],
    destination: "/srv/",
    after: { "srv/a.js": "a", "srv/absolute": "index", "srv/b.txt": "b" },
  },
  {
    what: "wildcards",
    paths: ["home*"],
    destination: "/srv/",
    after: { "srv/home.txt": "home", "srv/homepage.md": "page" },
  },
  {
    what: "wildcards for directories",
    paths: ["*/lib/?.js", "[a]pp/lib*"],
    destination: "/srv/",
    after: { "srv/a.js": "a", "srv/b.txt": "b" },
  },
  {
    what: "wildcards with --exclude",
    paths: ["home*"],
    destination: "/srv/",
    options: { excluded: ["*.md"] },
    after: { "srv/home.txt": "home" },
  },
  {
    what: "a directory with --exclude",
    paths: ["app"],
    destination: "/srv/",
    options: { excluded: ["lib/*.js", "empty", "link"] },
    after: { "srv/index.js": "index", "srv/lib/b.txt": "b" },
  },
  {
    what: "--parents",
    paths: ["app/lib/a.js", "home.txt"],
    destination: "/srv/",
    options: { keepsParents: true },
    after: { "srv/app/lib/a.js": "a", "srv/home.txt": "home" },
  },
  {
    what: "--parents with a pivot and wildcards",
    paths: ["./app/./*/*.js"],
    destination: "/srv/",
    options: { keepsParents: true },
    after: { "srv/lib/a.js": "a" },
  },
  {
    what: "--parents with any number of directories",
    paths: ["**/*.js"],
    destination: "/srv/",
    options: { keepsParents: true },
    after: { "srv/app/index.js": "index", "srv/app/lib/a.js": "a" },
  },
  {
    what: "--parents of a directory",
    paths: ["app/lib"],
    destination: "/",
    options: { keepsParents: true, excluded: ["app/lib/*.txt"] },
    after: { "app/lib/a.js": "a" },
  },
  {
    what: "nothing that is ignored",
    paths: ["."],
    destination: "/",
    options: { ignored: ["*", "!app/lib"] },
    after: { "app/lib/a.js": "a", "app/lib/b.txt": "b" },
  },
  {
    what: "no wildcard's match that is ignored",
    paths: ["home*"],
    destination: "/",
    options: { ignored: ["*.md"] },
    after: { "home.txt": "home" },
  },
  {
    what: "a file in place of a file and of a link",
    paths: ["app"],
    destination: "/srv",
    before: { "srv/index.js": "-> /elsewhere", "srv/lib/a.js": "old", elsewhere: "untouched" },
    options: { excluded: ["empty", "link"] },
    after: { elsewhere: "untouched", "srv/index.js": "index", "srv/lib/a.js": "a", "srv/lib/b.txt": "b" },
  },
  {
    what: "through links of the destination, within its root",
    paths: ["home.txt"],
    destination: "/out/../link/deep/",
    before: { link: "-> /../../../real", "real/": "" },
    after: { link: "-> /../../../real", "real/deep/home.txt": "home" },
  },
  {
    what: "through a link that leads to nothing yet",
    paths: ["home.txt"],
    destination: "/link",
    before: { link: "-> made/here" },
    after: { link: "-> made/here", "made/here": "home" },
  },
];

describe("COPY", () => {
  test.each(copies)("copies $what", async ({ paths, destination, options, before = {}, after }) => {
    using source = new TemporaryTree(app);
    using target = new TemporaryTree(before);
    const { warnings } = await change(target, copyOf(source, paths, destination, options));
    expect(target.describe()).toEqual(after);
    expect(warnings).toEqual([]);
  });

  test("keeps modes, times, hard links, holes and attributes; owners become root's", async () => {
    using source = new TemporaryTree({ "d/a": "a", "d/sub/x": "x" });
    linkSync(source.at("d/a"), source.at("d/b"));
    chownSync(source.at("d/a"), 1000, 1001);
    chmodSync(source.at("d/a"), 0o4751);
    chmodSync(source.at("d/sub"), 0o1777);
    utimesSync(source.at("d/a"), 1, 1_234_567_890);
    utimesSync(source.at("d/sub"), 1, 1_111_111_111);
    truncateSync(source.at("d/sub/x"), 64 << 20);
    using target = new TemporaryTree();
    await change(target, copyOf(source, ["d"], "/to"));
    const [a, b, sub, x] = ["to/a", "to/b", "to/sub", "to/sub/x"].map((name) => statSync(target.at(name)));
    expect(a?.ino).toBe(b?.ino);
    expect({ mode: a?.mode, uid: a?.uid, gid: a?.gid, time: a?.mtimeMs }).toEqual({
      mode: 0o104751,
      uid: 0,
      gid: 0,
      time: 1_234_567_890_000,
    });
    expect({ mode: sub?.mode, time: sub?.mtimeMs }).toEqual({ mode: 0o041777, time: 1_111_111_111_000 });
    expect(x?.size).toBe(64 << 20);
    expect(x?.blocks).toBeLessThan(1024);
    expect(readFileSync(target.at("to/sub/x")).subarray(0, 2).toString()).toBe("x\0");
    expect(statSync(target.at("to")).mode).toBe(0o040755);
  });

  test("--chown and --chmod", async () => {
    using source = new TemporaryTree({ "d/a": "a", "d/sub/x": "x", "d/link": "-> a" });
    chmodSync(source.at("d/a"), 0o600);
    using target = new TemporaryTree({ "there/sub/": "" });
    const owner = { uid: 12, gid: 34 };
    await change(target, copyOf(source, ["d"], "/new/there", { owner, mode: "u=rwX,go=rX" }));
    const found = ["new", "new/there", "new/there/a", "new/there/sub", "new/there/link"].map((name) => {
      const { uid, gid, mode } = lstatSync(target.at(name));
      return `${name} ${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
    });
    expect(found).toEqual([
      "new 12:34 755",
      "new/there 12:34 755",
      "new/there/a 12:34 644",
      "new/there/sub 12:34 755",
      "new/there/link 12:34 777",
    ]);
  });

  test("files of a stage keep their owners and attributes, and are read where only owners are recorded", async () => {
    using source = new TemporaryTree({ a: "a", b: "b" });
    chownSync(source.at("a"), 7, 8);
    chmodSync(source.at("b"), 0o640);
    const file = openSync(source.at("b"), "r");
    setAttribute(file, "user.containers.override_stat" as ByteString, "5:6:0640:file" as ByteString);
    setAttribute(file, "user.kept" as ByteString, "\xff\0" as ByteString);
    using target = new TemporaryTree();
    await change(target, copyOf(source, ["a", "b"], "/", { owners: "kept" }));
    const { uid, gid } = statSync(target.at("a"));
    expect([uid, gid]).toEqual([7, 8]);
    const b = statSync(target.at("b"));
    expect([b.uid, b.gid, b.mode]).toEqual([5, 6, 0o100640]);
    const copy = openSync(target.at("b"), "r");
    expect(getAttribute(copy, "user.kept" as ByteString)).toBe("\xff\0" as ByteString);
    expect(getAttribute(copy, "user.containers.override_stat" as ByteString)).toBeNumber();
    for (const descriptor of [file, copy]) closeSync(descriptor);
  });

  test("with a single id, owners are recorded", async () => {
    using source = new TemporaryTree({ a: "a" });
    using target = new TemporaryTree();
    const copy = copyOf(source, ["a"], "/d/", { owner: { uid: 5, gid: 6 } });
    const request = { target: target.root, mapping: "single", operations: [copy], time: 0 };
    await changeFilesHere(v.parse(changeFilesRequestSchema, request));
    for (const name of ["d", "d/a"]) {
      const file = openSync(target.at(name), "r");
      expect(getAttribute(file, "user.containers.override_stat" as ByteString)).toStartWith("5:6:");
      closeSync(file);
      expect(statSync(target.at(name)).uid).toBe(0);
    }
  });

  test("files of the Dockerfile", async () => {
    using target = new TemporaryTree();
    const files = [
      { name: "one", content: "1\n" },
      { name: "two", content: "zwei ü\n" },
    ];
    const copy = { kind: "copy" as const, parts: [{ kind: "texts" as const, files }], destination: "/etc/" };
    await change(target, copy);
    expect(target.describe()).toEqual({ "etc/one": "1\n", "etc/two": "zwei ü\n" });
    const { mode, mtimeMs } = statSync(target.at("etc/one"));
    expect([mode, mtimeMs]).toEqual([0o100644, 1_000_000_000_000]);
  });

  test("special files: FIFOs stay, sockets do not, and a device that would hide a name is only recorded", async () => {
    using source = new TemporaryTree({ "d/file": "file" });
    Bun.spawnSync(["mkfifo", source.at("d/fifo")]);
    Bun.spawnSync(["mknod", source.at("d/null"), "c", "1", "3"]);
    const server = Bun.listen({ unix: source.at("d/socket"), socket: { data() {} } });
    using target = new TemporaryTree();
    await change(target, copyOf(source, ["d"], "/"));
    server.stop(true);
    expect(lstatSync(target.at("fifo")).isFIFO()).toBe(true);
    expect(lstatSync(target.at("null")).isCharacterDevice()).toBe(true);
    expect(existsSync(target.at("socket"))).toBe(false);
  });

  test("names with any bytes", async () => {
    using source = new TemporaryTree({ "d/new\nline": "n", "d/--help": "h" });
    const invalid = Buffer.concat([Buffer.from(`${source.at("d")}/`), Buffer.from([0xff, 0xfe, 0x20])]);
    writeFileSync(invalid, "bytes");
    using target = new TemporaryTree();
    await change(target, copyOf(source, ["d/*"], "/to/"));
    const copied = Buffer.concat([Buffer.from(`${target.at("to")}/`), Buffer.from([0xff, 0xfe, 0x20])]);
    expect(readFileSync(copied, "utf8")).toBe("bytes");
    expect(readFileSync(target.at("to/new\nline"), "utf8")).toBe("n");
  });

  test("a wildcard that nothing matches copies nothing, and says so", async () => {
    using source = new TemporaryTree(app);
    using target = new TemporaryTree();
    const { warnings } = await change(target, copyOf(source, ["nothing*"], "/x/"));
    expect(warnings).toEqual(['no file matches: "nothing*"']);
    expect(target.describe()).toEqual({});
  });
});

const refusals: readonly {
  readonly what: string;
  readonly paths: string[];
  readonly destination: string;
  readonly options?: CopyOptions;
  readonly before?: TreeDescription;
  readonly message: RegExp;
}[] = [
  { what: "a file that is not there", paths: ["hom.txt"], destination: "/", message: /find "\/hom.txt": not found/ },
  {
    what: "a file that is ignored",
    paths: ["home.txt"],
    destination: "/",
    options: { ignored: ["*.txt"] },
    message: /find "\/home.txt": it is left out by the patterns/,
  },
  {
    what: "a link that leads to nothing in its root",
    paths: ["hostile/passwd"],
    destination: "/",
    message: /find "\/hostile\/passwd": not found/,
  },
  {
    what: "a file in place of a directory",
    paths: ["app"],
    destination: "/",
    before: { "index.js/x": "" },
    message: /copy to "index.js": a file cannot take the place of a directory/,
  },
  {
    what: "a directory in place of a file",
    paths: ["app"],
    destination: "/",
    before: { lib: "" },
    message: /copy to "lib": a directory cannot take the place of something else/,
  },
  {
    what: "a directory in place of a link to one",
    paths: ["app"],
    destination: "/",
    before: { lib: "-> /usr/lib", "usr/lib/x": "" },
    message: /copy to "lib": a directory cannot take the place of something else/,
  },
  {
    what: "a directory to a file",
    paths: ["app"],
    destination: "/file",
    before: { file: "" },
    message: /copy to "\/file": it is not a directory: ENOTDIR/,
  },
  {
    what: "several files to one name",
    paths: ["home.txt", "app/index.js"],
    destination: "/file",
    message: /copy several files to "\/file": it is not a directory$/,
  },
  {
    what: "a file below a file",
    paths: ["home.txt"],
    destination: "/file/",
    before: { file: "" },
    message: /copy to "\/file\/": ENOTDIR/,
  },
  {
    what: "to a circle of links",
    paths: ["home.txt"],
    destination: "/a/x",
    before: { a: "-> b", b: "-> a" },
    message: /find "\/a\/x": ELOOP/,
  },
  { what: "by a bad pattern", paths: ["[a"], destination: "/", message: /read the pattern "\[a": syntax error/ },
  { what: "with a bad mode", paths: ["app"], destination: "/", options: { mode: "u+q" }, message: /read the mode/ },
];

describe("COPY refuses", () => {
  test.each(refusals)("$what", async ({ paths, destination, options, before = {}, message }) => {
    using source = new TemporaryTree(app);
    using target = new TemporaryTree(before);
    await expect(change(target, copyOf(source, paths, destination, options))).rejects.toThrow(message);
  });

  test("and names what is nearest", async () => {
    using source = new TemporaryTree(app);
    using target = new TemporaryTree();
    const failure = change(target, copyOf(source, ["app/indx.js"], "/"));
    await expect(failure).rejects.toMatchObject({ hint: 'Did you mean "app/index.js"?', code: "source_not_found" });
  });
});

describe("ADD", () => {
  function archive(source: TemporaryTree, name: string, ...options: string[]): void {
    mkdirSync(source.at("in/dir"), { recursive: true });
    writeFileSync(source.at("in/dir/file"), "packed");
    symlinkSync("dir/file", source.at("in/link"));
    chownSync(source.at("in/dir/file"), 3, 4);
    const made = Bun.spawnSync(["tar", "-C", source.at("in"), "-cf", source.at(name), ...options, "dir", "link"]);
    expect(made.stderr.toString()).toBe("");
  }

  test.each([["--format=pax"], ["--gzip"], ["--zstd"]])("unpacks an archive made with %s", async (option) => {
    using source = new TemporaryTree();
    archive(source, "a.bin", option);
    using target = new TemporaryTree({ "srv/link/": "" });
    await change(target, copyOf(source, ["a.bin"], "/srv", { unpacks: true, owner: { uid: 9, gid: 9 } }));
    expect(target.describe()).toEqual({ "srv/dir/file": "packed", "srv/link": "-> dir/file" });
    expect(statSync(target.at("srv/dir/file")).uid).toBe(3);
  });

  test("what is no archive is copied", async () => {
    using source = new TemporaryTree({ "a.tar": "no archive", "b.tar.gz": "\x1f\x8bnot at all", "c.tar": "" });
    using target = new TemporaryTree();
    await change(target, copyOf(source, ["*"], "/srv/", { unpacks: true }));
    expect(target.describe()).toEqual({
      "srv/a.tar": "no archive",
      "srv/b.tar.gz": "\x1f\x8bnot at all",
      "srv/c.tar": "",
    });
  });

  test("a hostile archive stays within the destination", async () => {
    using source = new TemporaryTree({ "in/x": "x" });
    const made = Bun.spawnSync([
      ...["tar", "-C", source.at("in"), "-cPf", source.at("a.tar"), "--transform=s,x,/../../../escaped,"],
      "x",
    ]);
    expect(made.exitCode).toBe(0);
    using target = new TemporaryTree({ "srv/": "" });
    const failure = change(target, copyOf(source, ["a.tar"], "/srv/", { unpacks: true }));
    await expect(failure).rejects.toThrow(/leads out of the root directory/);
  });
});

describe("WORKDIR", () => {
  test("makes directories with their owner, and leaves those that are there", async () => {
    using target = new TemporaryTree({ "a/": "", link: "-> a" });
    await change(target, { kind: "make-directory", path: "/link/b/c", owner: { uid: 5, gid: 6 } });
    expect(target.describe()).toEqual({ "a/b/c/": "", link: "-> a" });
    expect([statSync(target.at("a")).uid, statSync(target.at("a/b")).uid, statSync(target.at("a/b/c")).gid]).toEqual([
      0, 5, 6,
    ]);
  });
});

describe("the stamp of a copy", () => {
  test("is that of the key, until a file changes", async () => {
    using source = new TemporaryTree(app);
    const selection = { paths: ["app", "home*"], excluded: ["*.md"], keepsParents: false };
    const key = async () => await contentKeyOf({ root: source.root, ignored: [] }, selection, "root", undefined, never);
    const stamp = async () => {
      using target = new TemporaryTree();
      const { stamps } = await change(target, copyOf(source, selection.paths, "/x/", selection));
      return stamps[0]?.[0] ?? "";
    };
    const first = await key();
    expect(await stamp()).toBe(first.stamp ?? "");
    writeFileSync(source.at("app/lib/a.js"), "b");
    const second = await stamp();
    expect(second).not.toBe(first.stamp ?? "");
    expect(second).toBe((await key()).stamp ?? "");
  });
});
