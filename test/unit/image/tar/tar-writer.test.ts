import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TarEntry } from "../../../../src/image/tar/tar-entry.ts";
import { TarReader } from "../../../../src/image/tar/tar-reader.ts";
import { endOfArchive, entryHeaders, paddingAfter, type WrittenEntry } from "../../../../src/image/tar/tar-writer.ts";
import type { ByteString } from "../../../../src/sys/byte-string.ts";
import { output } from "../../../unprivileged-user.ts";

const bytes = (text: string) => text as ByteString;

const plain: WrittenEntry = {
  type: "file",
  name: bytes("file"),
  linkName: bytes(""),
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  modified: { seconds: 1_000_000_000, nanoseconds: 0 },
  deviceMajor: 0,
  deviceMinor: 0,
  attributes: new Map(),
};

const long = "n".repeat(60);
const entries: readonly WrittenEntry[] = [
  plain,
  { ...plain, name: bytes("x".repeat(100)), mode: 0o7777 },
  { ...plain, name: bytes(`${long}/${long}/${long}`) },
  { ...plain, name: bytes(`${"p".repeat(155)}/${"n".repeat(100)}`) },
  { ...plain, name: bytes(`${"p".repeat(156)}/name`) },
  { ...plain, name: bytes("x".repeat(255)) },
  { ...plain, name: bytes("\u00ff\u00c3\u00a4 byte") },
  { ...plain, type: "directory", name: bytes("directory/"), mode: 0o1777 },
  { ...plain, type: "directory", name: bytes(`${"d".repeat(99)}/`) },
  { ...plain, type: "directory", name: bytes(`${"d".repeat(100)}/`) },
  { ...plain, type: "directory", name: bytes(`${long}/${long}/`) },
  { ...plain, type: "symbolic-link", linkName: bytes("t".repeat(100)) },
  { ...plain, type: "symbolic-link", linkName: bytes("t".repeat(4095)) },
  { ...plain, type: "hard-link", linkName: bytes(`${long}/${long}`) },
  { ...plain, type: "character-device", deviceMajor: 4095, deviceMinor: 1_048_575 },
  { ...plain, type: "block-device", deviceMajor: 8, deviceMinor: 1 },
  { ...plain, type: "fifo" },
  { ...plain, uid: 2_097_151, gid: 2_097_152 },
  { ...plain, uid: 4_294_967_294, gid: 4_294_967_294 },
  { ...plain, modified: { seconds: 0, nanoseconds: 1 } },
  { ...plain, modified: { seconds: -1, nanoseconds: 250_000_000 } },
  { ...plain, modified: { seconds: -5, nanoseconds: 0 } },
  { ...plain, modified: { seconds: 0o77777777777, nanoseconds: 0 } },
  { ...plain, modified: { seconds: 0o77777777777 + 1, nanoseconds: 120_000_000 } },
  {
    ...plain,
    attributes: new Map([
      [bytes("user.z"), bytes("")],
      [bytes("security.capability"), bytes("\u0001\u0000\n=\u00ff")],
      [bytes("user.a"), bytes("v".repeat(65_536))],
    ]),
  },
];

function read(archive: Buffer): TarEntry[] {
  const found: TarEntry[] = [];
  const reader = new TarReader({ entry: (entry) => found.push(entry), data: () => {}, end: () => {} });
  reader.feed(archive);
  reader.finish();
  return found;
}

test("what is written is read", () => {
  const found = read(Buffer.concat([...entries.map(entryHeaders), endOfArchive()]));
  expect(found.map(({ accessed, accessList, defaultList, ...entry }) => entry)).toEqual([...entries]);
});

test("nothing but the plain header where that can say everything", () => {
  const sizes = entries.map((entry) => entryHeaders(entry).length);
  expect(sizes.filter((size) => size === 512)).toHaveLength(13);
});

test("a file of more than 8 GiB", () => {
  const size = 2 ** 33 + 5;
  const found: TarEntry[] = [];
  const reader = new TarReader({ entry: (entry) => found.push(entry), data: () => {}, end: () => {} });
  reader.feed(entryHeaders({ ...plain, size }));
  expect(found[0]?.size).toBe(size);
  expect((size + paddingAfter(size).length) % 512).toBe(0);
  expect(paddingAfter(1024)).toHaveLength(0);
});

test("the order of attributes makes no difference", () => {
  const attributes = [
    ...new Map([
      ["user.b", "1"],
      ["user.a", "2"],
    ]),
  ] as [ByteString, ByteString][];
  const one = entryHeaders({ ...plain, attributes: new Map(attributes) });
  expect(entryHeaders({ ...plain, attributes: new Map(attributes.toReversed()) }).equals(one)).toBe(true);
});

test("GNU tar and Python read it", () => {
  const directory = mkdtempSync(join(tmpdir(), "bunker-tar-"));
  try {
    const path = `${directory}/archive.tar`;
    writeFileSync(path, Buffer.concat([...entries.map(entryHeaders), endOfArchive()]));
    const listed = output(["tar", "--quoting-style=literal", "-tf", path]).split("\n");
    expect(listed).toHaveLength(entries.length + 1);
    const script = "import sys, tarfile\nfor m in tarfile.open(sys.argv[1]): print(m.uid, m.gid, m.mtime)";
    const members = output(["python3", "-c", script, path]).trim().split("\n");
    expect(members).toContain("4294967294 4294967294 1000000000");
    expect(members).toContain("0 0 -0.75");
    expect(members).toContain("2097151 2097152 1000000000");
    expect(members).toHaveLength(entries.length);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
