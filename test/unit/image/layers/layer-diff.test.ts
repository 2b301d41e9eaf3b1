/* There and back again: what a container changes becomes a layer, and unpacked again it shows the same tree. */
import { afterAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeImage } from "../image-builder.ts";
import { archive } from "../tar-builder.ts";
import { enter, type Place, places, run, unpack, workspace } from "./unpacked.ts";

const spaces = new DisposableStack();
afterAll(() => spaces.dispose());

const diffProcess = join(import.meta.dir, "fixtures/diff-process.ts");
const changeTree = join(import.meta.dir, "fixtures/change-tree.ts");

const base = [
  archive([
    { name: "./", type: "5" },
    { name: "etc/", type: "5" },
    { name: "etc/name", content: "name" },
    { name: "etc/linked", type: "1", linkName: "etc/name" },
    { name: "dir/", type: "5", mode: 0o2755, uid: 12, gid: 34 },
    { name: "dir/sub/", type: "5" },
    { name: "dir/sub/deep", content: "deep", uid: 1000, gid: 1000, mode: 0o4755 },
    { name: "dir/sub/other", content: "other" },
    { name: "dir/link", type: "2", linkName: "sub/deep" },
    { name: "a/", type: "5" },
    { name: "a/b/", type: "5" },
    { name: "a/b/c", content: "c" },
    { name: "file", content: "file" },
  ]),
  archive([
    { name: "etc/.wh.linked" },
    { name: "dir/sub/", type: "5", mode: 0o700 },
    { name: "dir/sub/.wh..wh..opq" },
    { name: "dir/sub/again", content: "again" },
    { name: "a/b/upper", content: "upper" },
  ]),
];

interface Diff {
  readonly changes: string[];
  readonly losses: readonly string[];
  readonly failure?: string;
  readonly archive: Buffer;
  /** What the container's root showed, and what it shows when the layer is unpacked. */
  readonly before: string;
  readonly after: string;
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Everything that can be seen of the tree in the working directory but the root's own line and inode numbers. */
const look = [
  `find . -mindepth 1 -printf '%P|%y %m %U:%G %n %l %T@|' \\( -type f -printf '%s' -o -true \\) -printf '\\n' | LC_ALL=C sort`,
  "find . -type f -exec sha256sum {} + | LC_ALL=C sort",
  "find . -print0 | LC_ALL=C sort -z | xargs -0 getfattr -hd -m 'user\\.'",
  "find . ! -type l -print0 | LC_ALL=C sort -z | xargs -0 getfacl -pn",
].join("; ");

/**
 * Lets a script change a container's root, makes a layer of that, unpacks it on top, and looks at both.
 * @param script runs in the root; `$DIFF` is there to be written to
 */
function diff(place: Place, script: string, latestTime = ""): Diff {
  const { path } = spaces.use(workspace());
  const store = `${path}/store`;
  makeImage(`${path}/image`, base);
  expect(unpack(place, `oci:${path}/image`, store).error).toBeUndefined();
  const layerPath = (name: string) => `${store}/layers/${name}/diff`;
  const inLayers = (names: readonly string[], marker: string) =>
    names
      .map(layerPath)
      .filter((layer) => run(enter(place, ["sh", "-c", `test -e ${layer}/${marker} && echo yes || true`])) !== "");
  const first = readdirSync(`${store}/layers`).filter((name) => !name.includes("."));
  const upperMost = inLayers(first, "a/b/upper");
  const lower = [...upperMost, ...inLayers(first, "file")];
  const mounted = (options: string, work: string) =>
    `set -e; cd ${path}; mkdir -p upper work merged; mount -t overlay overlay -o userxattr,${options} merged; ` +
    `trap 'cd /; umount ${path}/merged' EXIT; cd merged; ${work}`;
  const inPlace = (script: string) => run(enter(place, ["sh", "-c", script]));
  const before = inPlace(
    mounted(`lowerdir=${lower.join(":")},upperdir=upper,workdir=work`, `{ ${script}; } >&2; ${look}`),
  );
  const words = [process.execPath, diffProcess, `${path}/layer.tar`, latestTime, `${path}/upper`, ...lower];
  const { changes, ...rest } = JSON.parse(Buffer.from(run(enter(place, words)), "latin1").toString());
  const layer = readFileSync(`${path}/layer.tar`);
  let after = "";
  if (rest.failure === undefined) {
    makeImage(`${path}/image`, [...base, layer], "gzip");
    expect(unpack(place, `oci:${path}/image`, store)).toMatchObject({ warnings: [], left: [] });
    const all = readdirSync(`${store}/layers`).filter((name) => !name.includes("."));
    const added = all.filter((name) => !first.includes(name)).map(layerPath);
    after = inPlace(mounted(`lowerdir=${[...added, ...lower].join(":")}`, look));
  }
  const letters = { added: "A", changed: "C", deleted: "D" } as const;
  return {
    ...rest,
    changes: changes.map(
      (change: { kind: keyof typeof letters; path: string }) => `${letters[change.kind]} ${change.path}`,
    ),
    archive: layer,
    before,
    after,
  };
}

describe.each([...places])("as %s", (place) => {
  test("no change is an empty archive", () => {
    const { archive: layer, changes } = diff(place, "true");
    expect(changes).toEqual([]);
    expect(layer).toEqual(Buffer.alloc(1024));
  });

  test("every kind of change", () => {
    const { before, after, changes, losses } = diff(
      place,
      `rm etc/name; echo changed > file; mkdir new; echo x > new/file; ln new/file new/hard; mkfifo new/fifo
       chmod 711 a; rm -r dir/sub; mkdir dir/sub; echo y > dir/sub/again; ln -s target new/link
       touch -d '2001-02-03 04:05:06.123456789' new/file; touch -d '1950-01-01' new
       truncate -s 3M new/sparse; printf x | dd of=new/sparse bs=1 seek=2000000 conv=notrunc status=none
       setfattr -n user.note -v 'a value' new/file; setfacl -m u:0:r-- new/file; mv a/b/c moved`,
    );
    expect(after).toBe(before);
    expect(losses).toEqual([]);
    expect(changes).toEqual([
      "C /a",
      "C /a/b",
      "D /a/b/c",
      "C /dir",
      "C /dir/sub",
      "C /dir/sub/again",
      "C /etc",
      "D /etc/name",
      "C /file",
      "A /moved",
      "A /new",
      "A /new/fifo",
      "A /new/file",
      "A /new/hard",
      "A /new/link",
      "A /new/sparse",
    ]);
  });

  test("the same changes give the same archive, with no time beyond the latest", () => {
    const script = "mkdir -p new/sub; echo x > new/file; rm -r dir; ln new/file z";
    const [first, second] = [diff(place, script, "1000000000"), diff(place, script, "1000000000")];
    expect(first.archive.equals(second.archive)).toBe(true);
    expect(first.after).not.toContain(`.${new Date().getFullYear()}`);
    expect(first.changes).toContain("D /dir");
  });

  test("sockets are left out", () => {
    const script = `python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("s")'; rm -r a`;
    const { archive: layer } = diff(place, script);
    expect(layer.toString("latin1")).not.toContain("s\0");
  });

  test("what a socket takes the place of does not come back", () => {
    const { changes, after, losses } = diff(
      place,
      `rm file && python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("file")'`,
    );
    expect(changes).toEqual(["C /file"]);
    expect(after).not.toMatch(/^file\|/m);
    expect(losses).toEqual([]);
  });

  test("names that would be taken for deletions are left out, and told", () => {
    const { before, after, losses } = diff(
      place,
      "echo x > .wh.file; mkdir .wh.etc; echo y > .wh.etc/name; mkdir new; echo z > new/.wh.new; ln .wh.file other",
    );
    const rest = before.split("\n").filter((line) => /^(?:other|file|etc.*|new)[|]/.test(line));
    expect(rest.length).toBeGreaterThan(4);
    for (const line of rest) expect(after).toContain(line.replace(/^(other.*) 2 /, "$1 1 "));
    expect(after).not.toContain(".wh.");
    const reason = 'in a layer, a name that begins with ".wh." means a deletion; it is left out';
    expect(losses).toEqual([`.wh.etc: ${reason}`, `.wh.file: ${reason}`, `new/.wh.new: ${reason}`]);
  });

  test("attributes whose names an archive cannot hold are left out, and told", () => {
    const { after, losses } = diff(place, "echo x > new; setfattr -n user.a=b -v 1 new; setfattr -n user.c -v 2 new");
    expect(losses).toEqual(["new: attribute user.a=b has a name that an archive cannot hold"]);
    expect(after).toContain('user.c="2"');
    expect(after).not.toContain("user.a");
  });

  test("a new root directory's owner and mode are kept", () => {
    const { archive: layer } = diff(place, "chmod 751 .; touch -d @1000000000 .");
    expect(layer.toString("latin1", 0, 2)).toBe("./");
    expect(layer.toString("latin1", 100, 107)).toBe("0000751");
  });

  test.each([1, 2])("changes at random, %i", (seed) => {
    const [start, steps] = [7919 * seed, 150];
    const words = [process.execPath, changeTree, ".", String(start), String(steps)];
    const { before, after, losses } = diff(place, words.map(quoted).join(" "));
    expect(after).toBe(before);
    expect(losses).toEqual([]);
  });
});

describe("what is not Bunker's", () => {
  test("is refused where content is in another place", () => {
    const script = `setfattr -n user.overlay.redirect -v /etc ../upper/etc || { touch etc/x; setfattr -n user.overlay.redirect -v /etc ../upper/etc; }`;
    expect(diff("ids", script).failure).toContain("its content is in another place");
  });
});
