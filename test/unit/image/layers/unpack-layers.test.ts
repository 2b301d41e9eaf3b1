import { afterAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { makeImage } from "../image-builder.ts";
import { archive, type Member } from "../tar-builder.ts";
import { enter, list, onlyLayer, type Place, places, run, unpack, workspace } from "./unpacked.ts";

const isRoot = process.getuid?.() === 0;
const spaces = new DisposableStack();
afterAll(() => spaces.dispose());

/** Unpacks one archive into a fresh store. */
function unpackArchive(place: Place, members: readonly Member[] | Buffer) {
  const { path } = spaces.use(workspace());
  makeImage(`${path}/image`, [Buffer.isBuffer(members) ? members : archive(members)]);
  const store = `${path}/store`;
  const outcome = unpack(place, `oci:${path}/image`, store);
  return { path, store, outcome, layer: () => onlyLayer(store) };
}

function attribute(place: Place, name: string, file: string): string {
  return run(enter(place, ["getfattr", "-h", "--only-values", "-n", name, file]));
}

describe.each([...places])("in place %s", (place) => {
  test("files get content, mode, owner and times", () => {
    const pax = { mtime: "1234567890.123456789", atime: "1000000000.5" };
    const { layer, outcome } = unpackArchive(place, [
      { name: "d/", type: "5", mode: 0o1777, uid: 3, gid: 4, pax },
      { name: "d/plain", content: "hello", mode: 0o640, uid: 5, gid: 6, pax },
      { name: "d/setuid", content: "", mode: 0o6755, pax },
      { name: "d/foreign-setuid", mode: 0o4755, uid: 7, pax },
      { name: "d/link", type: "2", linkName: "../../anywhere", pax },
      { name: "d/fifo", type: "6", mode: 0o600, pax },
      { name: "d/hard", type: "1", linkName: "d/plain" },
    ]);
    expect(outcome).toMatchObject({ warnings: [], left: [] });
    // Of all files by their lengths; a link adds nothing.
    expect(readFileSync(`${layer()}/../size`, "utf8")).toBe("5");
    expect(outcome.error).toBeUndefined();
    const times = "1234567890.1234567890 1000000000.5000000000";
    const owned = (own: string) => (place === "single" ? "0:0" : own);
    expect(list(place, layer(), "%y %m %U:%G %n %l %T@ %A@")).toEqual([
      `d/fifo|p 600 0:0 1  ${times}`,
      `d/foreign-setuid|f ${place === "single" ? "755" : "4755"} ${owned("7:0")} 1  ${times}`,
      `d/hard|f 640 ${owned("5:6")} 2  ${times}`,
      `d/link|l 777 0:0 1 ../../anywhere ${times}`,
      `d/plain|f 640 ${owned("5:6")} 2  ${times}`,
      `d/setuid|f 6755 0:0 1  ${times}`,
      `d|d 1777 ${owned("3:4")} 2  ${times}`,
    ]);
    expect(run(enter(place, ["cat", `${layer()}/d/plain`]))).toBe("hello");
    if (place !== "single") return;
    expect(attribute(place, "user.containers.override_stat", `${layer()}/d`)).toBe("3:4:1777:dir");
    expect(attribute(place, "user.containers.override_stat", `${layer()}/d/plain`)).toBe("5:6:0640:file");
    expect(attribute(place, "user.containers.override_stat", `${layer()}/d/foreign-setuid`)).toBe("7:0:4755:file");
    expect(() => attribute(place, "user.containers.override_stat", `${layer()}/d/setuid`)).toThrow();
  });

  test("a hard link to what lies at its own place, by another way, leaves it there", () => {
    const { layer, outcome } = unpackArchive(place, [
      { name: "usr/file", content: "one" },
      { name: "lib", type: "2", linkName: "usr" },
      { name: "lib/file", type: "1", linkName: "usr/file" },
    ]);
    expect(outcome.error).toBeUndefined();
    expect(readFileSync(`${layer()}/usr/file`, "utf8")).toBe("one");
  });

  test("a hard link to a whiteout is refused, by which something else would be hidden", () => {
    const { outcome } = unpackArchive(place, [{ name: ".wh.gone" }, { name: "link", type: "1", linkName: "gone" }]);
    expect(outcome.error?.message).toContain('"link": it is a hard link to "gone", which this layer does not have');
    expect(outcome.left).toEqual([]);
  });

  test("a layer takes the place of a link that leads nowhere", () => {
    const { path, store, layer } = unpackArchive(place, [{ name: "file", content: "one" }]);
    const shown = dirname(layer());
    rmSync(shown, { recursive: true });
    symlinkSync("../build/layers/lost", shown);
    const { error, left } = unpack(place, `oci:${path}/image`, store);
    expect({ error, left }).toEqual({ error: undefined, left: [] });
    expect(readFileSync(`${layer()}/file`, "utf8")).toBe("one");
    expect(lstatSync(shown).isDirectory()).toBe(true);
  });

  test("a default access control list of a file means nothing", () => {
    const pax = { "SCHILY.acl.default": "user::rwx,group::r-x,other::---" };
    const { layer, outcome } = unpackArchive(place, [
      { name: "file", pax },
      { name: "fifo", type: "6", pax },
    ]);
    expect(outcome.error).toBeUndefined();
    expect(outcome.warnings).toEqual([]);
    expect(list(place, layer(), "%m")).toEqual(["fifo|644", "file|644"]);
  });

  test("names of any bytes survive", () => {
    const names = ["new\nline", "\xff\xfe", "\x01\x1b[31m", " ", "-rf", "caf\xc3\xa9", "\\"];
    const { layer, outcome } = unpackArchive(place, [
      ...names.map((name) => ({ name, content: name })),
      { name: "to", type: "2", linkName: "\xff\n" },
    ]);
    expect(outcome.error).toBeUndefined();
    expect(list(place, layer(), "%l").sort()).toEqual([...names.map((name) => `${name}|`), "to|\xff\n"].sort());
  });

  test("attributes, capabilities and access control lists are kept", () => {
    const capability = "\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    const { layer, outcome } = unpackArchive(place, [
      { name: "f", pax: { "SCHILY.xattr.user.note": "a\0b", "SCHILY.xattr.security.capability": capability } },
      { name: "d/", type: "5", pax: { "SCHILY.acl.default": "user::rwx,group::r-x,other::---" } },
      { name: "d/in", mode: 0o666 },
      {
        name: "g",
        mode: 0o644,
        pax: { "SCHILY.acl.access": "user::rw-\nuser:0:rwx\ngroup::r--\nmask::rwx\nother::r--\n" },
      },
      { name: "h", pax: { "SCHILY.acl.access": "user::rw-,user:daemon:rwx,group::r--,mask::rwx,other::r--" } },
    ]);
    expect(outcome.error).toBeUndefined();
    expect(outcome.warnings.join()).toMatch(/access control list is not numeric: "h"$/);
    expect(attribute(place, "user.note", `${layer()}/f`)).toBe("a\0b");
    expect(run(enter(place, ["getcap", `${layer()}/f`]))).toContain("cap_net_bind_service=ep");
    const acl = (file: string) =>
      run(enter(place, ["getfacl", "-cn", `${layer()}/${file}`]))
        .trim()
        .split("\n");
    expect(acl("g")).toEqual(["user::rw-", "user:0:rwx", "group::r--", "mask::rwx", "other::r--"]);
    expect(acl("d")).toContain("default:group::r-x");
    // The default list of the directory does not reach what the archive itself puts there.
    expect(acl("d/in")).toEqual(["user::rw-", "group::rw-", "other::rw-"]);
  });

  test("marks of the union mount cannot be brought along", () => {
    const reserved = ["user.overlay.opaque", "user.overlay.redirect", "user.containers.override_stat"];
    const pax = Object.fromEntries(reserved.map((name) => [`SCHILY.xattr.${name}`, "y"]));
    const { layer, outcome } = unpackArchive(place, [
      { name: "d/", type: "5", pax: { ...pax, "SCHILY.xattr.user.x": "1" } },
    ]);
    for (const name of reserved) {
      expect(outcome.warnings.join("\n")).toContain(`attribute ${name} is reserved for the union mount: "d"`);
      expect(() => attribute(place, name, `${layer()}/d`)).toThrow();
    }
    expect(attribute(place, "user.x", `${layer()}/d`)).toBe("1");
  });

  test("further names of device nodes are no failure where the container has its own /dev", () => {
    const { outcome } = unpackArchive(place, [
      { name: "dev/console", type: "3", device: [5, 1] },
      { name: "dev/again", type: "1", linkName: "dev/console" },
    ]);
    expect(outcome.error).toBeUndefined();
    expect(outcome.warnings).toEqual([]);
  });

  test("device nodes are made, or replaced by a record", () => {
    const { layer, outcome } = unpackArchive(place, [
      { name: "dev/null", type: "3", device: [1, 3], mode: 0o666 },
      { name: "etc/disk", type: "4", device: [8, 1], mode: 0o660, uid: 0, gid: 6 },
      { name: "etc/zero", type: "3", device: [0, 0], mode: 0o600 },
    ]);
    expect(outcome.error).toBeUndefined();
    const record = (name: string) => attribute(place, "user.containers.override_stat", `${layer()}/etc/${name}`);
    expect(list(place, layer(), "%y %m")).toContain("etc/zero|f 0");
    expect(record("zero")).toBe("0:0:0600:char-0-0");
    if (place === "root") {
      expect(list(place, layer(), "%y %m")).toEqual(
        expect.arrayContaining(["dev/null|c 666", "etc/disk|b 660", "etc/zero|f 0"]),
      );
      return;
    }
    expect(existsSync(`${layer()}/dev/null`)).toBe(false);
    expect(list(place, layer(), "%y %m")).toContain("etc/disk|f 0");
    expect(record("disk")).toBe("0:6:0660:block-8-1");
    expect(outcome.warnings).toHaveLength(1);
    expect(outcome.warnings[0]).toMatch(/device nodes cannot be made here.*: "etc\/disk", "etc\/zero"$/);
  });

  test("zeros take no space", () => {
    const content = Buffer.alloc(3 << 20);
    content.write("middle", 1 << 20);
    const { layer } = unpackArchive(place, [
      { name: "most", content },
      { name: "all", content: Buffer.alloc(100_000) },
    ]);
    expect(readFileSync(`${layer()}/most`).equals(content)).toBe(true);
    expect(statSync(`${layer()}/most`).blocks * 512).toBeLessThan(64 << 10);
    expect(statSync(`${layer()}/all`)).toMatchObject({ size: 100_000, blocks: 0 });
  });
});

// From here on what counts is independent of the ids.
const place: Place = isRoot ? "root" : "ids";

describe("later entries", () => {
  test("replace earlier ones", () => {
    const { layer, outcome } = unpackArchive(place, [
      { name: "dir-to-file/deep/er/", type: "5" },
      { name: "dir-to-file/deep/er/f", content: "x" },
      { name: "dir-to-file", content: "file" },
      { name: "file-to-dir", content: "x" },
      { name: "file-to-dir/", type: "5", mode: 0o711 },
      { name: "target/", type: "5" },
      { name: "link-to-dir", type: "2", linkName: "target" },
      { name: "link-to-dir/", type: "5" },
      { name: "link-to-dir/f", content: "own" },
      { name: "link-to-file", type: "2", linkName: "target/victim" },
      { name: "link-to-file", content: "x" },
      { name: "twice", content: "longer than the second" },
      { name: "twice", content: "second" },
      { name: "self", content: "kept" },
      { name: "./self", type: "1", linkName: "/self" },
      { name: "again/", type: "5", mode: 0o700 },
      { name: "again/f", content: "kept" },
      { name: "again/", type: "5", mode: 0o750 },
    ]);
    expect(outcome.error).toBeUndefined();
    expect(list(place, layer(), "%y %m %s")).toEqual([
      "again/f|f 644 4",
      "again|d 750 4096",
      "dir-to-file|f 644 4",
      "file-to-dir|d 711 4096",
      "link-to-dir/f|f 644 3",
      "link-to-dir|d 755 4096",
      "link-to-file|f 644 1",
      "self|f 644 4",
      "target|d 755 4096",
      "twice|f 644 6",
    ]);
  });

  test("reach through symbolic links, as the container would see them", () => {
    const { layer, outcome } = unpackArchive(place, [
      { name: "usr/lib/", type: "5" },
      { name: "lib", type: "2", linkName: "usr/lib" },
      { name: "abs", type: "2", linkName: "/usr" },
      { name: "up", type: "2", linkName: "../../../../../../../../usr" },
      { name: "lib/a", content: "1" },
      { name: "abs/b", content: "2" },
      { name: "up/c/d", content: "3" },
      { name: "lib/sub/", type: "5", mode: 0o700 },
    ]);
    expect(outcome.error).toBeUndefined();
    expect(list(place, `${layer()}/usr`, "%y %m")).toEqual([
      "b|f 644",
      "c/d|f 644",
      "c|d 755",
      "lib/a|f 644",
      "lib/sub|d 700",
      "lib|d 755",
    ]);
  });

  test("cannot make a directory out of a file below another name for it", () => {
    const { layer, outcome } = unpackArchive(place, [
      { name: "usr/lib/x/", type: "5" },
      { name: "lib", type: "2", linkName: "usr/lib" },
      { name: "lib/x/", type: "5" },
      { name: "usr/lib/x", content: "file now" },
    ]);
    expect(outcome.error).toBeUndefined();
    expect(readFileSync(`${layer()}/usr/lib/x`, "utf8")).toBe("file now");
  });
});

describe("hostile archives", () => {
  const outside = "/etc/bunker-test-escape";
  const refused: readonly [string, readonly Member[], RegExp][] = [
    ["a name that climbs out", [{ name: "../../etc/x" }], /"\.\.\/\.\.\/etc\/x": the name leads out of the root/],
    ["a name that climbs out in the middle", [{ name: "a/../../x" }], /leads out of the root/],
    ["a hard link out", [{ name: "h", type: "1", linkName: "../../etc/passwd" }], /leads out of the root/],
    [
      "a hard link to nothing",
      [{ name: "h", type: "1", linkName: "gone" }],
      /"h": it is a hard link to "gone", which this layer does not have/,
    ],
    [
      "a hard link through a link out",
      [
        { name: "l", type: "2", linkName: "/etc" },
        { name: "h", type: "1", linkName: "l/passwd" },
      ],
      /hard link to "l\/passwd", which this layer does not have/,
    ],
    [
      "links in a circle",
      [{ name: "a", type: "2", linkName: "b" }, { name: "b", type: "2", linkName: "a" }, { name: "a/f" }],
      /"a": its symbolic links lead in a circle|circle/,
    ],
    [
      "a file used as a directory",
      [{ name: "f", content: "x" }, { name: "f/g" }],
      /"f": an entry lies in it, but it is not a directory/,
    ],
    [
      "a dangling link used as a directory",
      [{ name: "l", type: "2", linkName: "/none" }, { name: "l/g" }],
      /"l": .* dangling symbolic link/,
    ],
    ["a root that is a file", [{ name: "./", type: "2", linkName: "/" }], /root directory cannot be anything else/],
    ["a whiteout of the parent", [{ name: "d/.wh..." }], /whiteout hides no name/],
    ["a whiteout of the directory itself", [{ name: "d/.wh.." }], /whiteout hides no name/],
    ["a name that is too long", [{ name: "n", pax: { path: "x".repeat(300) } }], /ENAMETOOLONG/],
    ["a path that is too long", [{ name: "n", pax: { path: `${"d/".repeat(2500)}x` } }], /ENAMETOOLONG/],
    ["a symbolic link to nowhere", [{ name: "l", type: "2", linkName: "" }], /create the symbolic link "l": ENOENT/],
    ["a name with controls", [{ name: "\x1b]0;x\x07/../.." }], /"\\u001b\]0;x\\u0007\/\.\.\/\.\.":/],
  ];

  test.each(refused)("are refused: %s", (_, members, message) => {
    const { outcome, store } = unpackArchive(place, [{ name: "first", content: "x" }, ...members]);
    expect(outcome.error?.message).toMatch(message);
    expect(outcome.error?.message).toMatch(/^unpack layer sha256:[0-9a-f]{64} of oci:/);
    expect(outcome.error?.message).not.toContain("\n");
    expect(outcome.left).toEqual([]);
    expect(readdirSync(`${store}/layers`)).toEqual([]);
    expect(existsSync(outside)).toBe(false);
  });

  test("stay inside: absolute names and links out", () => {
    const { layer, outcome, path } = unpackArchive(place, [
      { name: outside, content: "in" },
      { name: "out", type: "2", linkName: "/" },
      { name: `out${outside}-2`, content: "in" },
      { name: "store", type: "2", linkName: "../../.." },
      { name: "store/escaped", content: "in" },
      { name: "proc/", type: "5" },
      { name: "fd", type: "2", linkName: "/proc/self/root" },
      { name: "a/../b", content: "in" },
    ]);
    expect(outcome.error).toBeUndefined();
    expect(existsSync(outside)).toBe(false);
    expect(list(place, layer(), "%s").filter((line) => line.endsWith("|2"))).toEqual(
      ["b|2", "etc/bunker-test-escape-2|2", "etc/bunker-test-escape|2", "escaped|2"].sort(),
    );
    expect(readdirSync(path).sort()).toEqual(["image", "store"]);
  });

  test("stay inside whatever is in them", () => {
    let state = 7;
    const random = <Item>(items: readonly Item[]): Item => {
      state = (Math.imul(state, 1_103_515_245) + 12345) >>> 0;
      return items[Math.floor((state / 2 ** 32) * items.length)] as Item;
    };
    const { path } = spaces.use(workspace());
    writeFileSync(`${path}/victim`, "untouched", { mode: 0o600 });
    const before = lstatSync(`${path}/victim`);
    const parts = ["a", "a", "b", "b", "c", ".", "", "..", "victim", ".wh.a", ".wh..wh..opq", "dev"];
    const name = () =>
      [random(["a", "b", "c"]), ...Array.from({ length: random([0, 1, 2, 4]) }, () => random(parts))].join("/");
    let refusals = 0;
    const rounds = 40;
    for (let round = 0; round < rounds; round++) {
      const members = Array.from({ length: 8 }, () => {
        const type = random(["0", "0", "0", "1", "2", "2", "5", "5", "5", "6"]);
        return {
          name: name(),
          type,
          linkName: random([name(), name(), `${"../".repeat(8)}${path}`, `${path}/victim`, path, "/"]),
          mode: random([0, 0o777, 0o4755]),
          content: type === "0" ? random(["", "overwritten"]) : "",
        };
      });
      makeImage(`${path}/image-${round}`, [archive(members)]);
      const outcome = unpack(place, `oci:${path}/image-${round}`, `${path}/store`);
      expect(outcome.left).toEqual([]);
      if (outcome.error !== undefined) refusals++;
    }
    expect(refusals).toBeGreaterThan(0);
    expect(refusals).toBeLessThan(rounds);
    expect(readFileSync(`${path}/victim`, "utf8")).toBe("untouched");
    const after = lstatSync(`${path}/victim`);
    expect([after.mode, after.ino, after.mtimeMs, after.uid, after.nlink]).toEqual([
      before.mode,
      before.ino,
      before.mtimeMs,
      before.uid,
      1,
    ]);
    expect(
      readdirSync(path)
        .filter((entry) => !entry.startsWith("image-"))
        .sort(),
    ).toEqual(["store", "victim"]);
  }, 60_000);
});
