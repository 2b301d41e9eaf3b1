import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ByteString, encodeText } from "../../../src/sys/byte-string.ts";
import { directoryEntries } from "../../../src/sys/directory-entries.ts";
import { Errno } from "../../../src/sys/errno.ts";
import {
  getAttribute,
  Lock,
  linkAt,
  listAttributes,
  lock,
  makeDirectoryAt,
  makeNodeAt,
  makeSymbolicLinkAt,
  openAt,
  openAt2,
  setAttribute,
  setAttributeAt,
  setTimes,
  statusAt,
  statusOf,
  unlinkAt,
} from "../../../src/sys/file.ts";
import { FileDescriptor } from "../../../src/sys/file-descriptor.ts";
import { AT_FDCWD, OpenFlag, Resolve } from "../../../src/sys/open.ts";
import { FileMode, isType } from "../../../src/sys/stat.ts";
import { check } from "../../../src/sys/system-call.ts";
import { writeAt } from "../../../src/sys/write-at.ts";

const bytes = (text: string) => text as ByteString;

let path = "";
let directory: FileDescriptor;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "bunker-file-"));
  const flags = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;
  directory = new FileDescriptor(check(openAt(AT_FDCWD, encodeText(path), flags), "open", path));
});
afterEach(() => {
  directory.close();
  rmSync(path, { recursive: true, force: true });
});

function create(name: string): FileDescriptor {
  const flags = OpenFlag.O_RDWR | OpenFlag.O_CREAT | OpenFlag.O_EXCL | OpenFlag.O_CLOEXEC;
  return new FileDescriptor(check(openAt(directory.number, bytes(name), flags, 0o600), "create", name));
}

describe("names", () => {
  test("are bytes, in both directions", () => {
    const names = ["\xff\xfe", "new\nline", "gr\xc3\xbcn", "-", " "];
    for (const name of names) create(name).close();
    expect([...directoryEntries(directory.number)].map(({ name }) => String(name)).sort()).toEqual(names.sort());
  });

  test("that the kernel would not get whole are refused", () => {
    expect(openAt(directory.number, bytes("a\0b"), OpenFlag.O_RDONLY)).toBe(-Errno.EINVAL);
    expect(makeDirectoryAt(directory.number, bytes("x".repeat(4096)), 0o700)).toBe(-Errno.ENAMETOOLONG);
    expect(linkAt(directory.number, bytes("a"), directory.number, bytes("b\0"))).toBe(-Errno.EINVAL);
    expect(unlinkAt(directory.number, bytes("none"))).toBe(-Errno.ENOENT);
  });
});

describe("status", () => {
  test("tells what stat(2) tells", () => {
    using file = create("f");
    expect(writeAt(file.number, Buffer.from("_hello"), 1, 6, 10_000)).toBe(0);
    const time = { seconds: -5, nanoseconds: 123_456_789 };
    const later = { seconds: 2 ** 33, nanoseconds: 1 };
    expect(setTimes(file.number, time, later)).toBe(0);
    const status = statusOf(file.number);
    expect(status).toMatchObject({ mode: 0o100600, linkCount: 1, size: 10_005, accessed: time, modified: later });
    expect(status).toEqual(statusAt(directory.number, bytes("f")));
    expect(statusAt(directory.number, bytes("none"))).toBe(-Errno.ENOENT);
    expect(readFileSync(`${path}/f`).subarray(10_000).toString()).toBe("hello");
  });

  test("is that of a link itself", () => {
    makeSymbolicLinkAt(bytes("/none"), directory.number, bytes("l"));
    const status = statusAt(directory.number, bytes("l"));
    expect(typeof status !== "number" && isType(status, FileMode.symbolicLink)).toBe(true);
  });

  test.skipIf(process.getuid?.() !== 0)("has device numbers of any size", () => {
    for (const [major, minor] of [
      [1, 3],
      [259, 70_000],
      [4095, 1_048_575],
    ] as const) {
      const name = bytes(`d${major}`);
      expect(makeNodeAt(directory.number, name, FileMode.blockDevice | 0o600, major, minor)).toBe(0);
      expect(statusAt(directory.number, name)).toMatchObject({ deviceMajor: major, deviceMinor: minor });
    }
  });
});

test("paths stay inside a root", () => {
  mkdirSync(`${path}/root/etc`, { recursive: true });
  writeFileSync(`${path}/root/etc/f`, "inside");
  writeFileSync(`${path}/secret`, "outside");
  symlinkSync("/etc", `${path}/root/absolute`);
  symlinkSync("../../../secret", `${path}/root/up`);
  const flags = OpenFlag.O_PATH | OpenFlag.O_CLOEXEC;
  using root = new FileDescriptor(check(openAt(directory.number, bytes("root"), flags), "open"));
  const open = (name: string) => openAt2(root.number, bytes(name), OpenFlag.O_RDONLY, Resolve.IN_ROOT);
  using file = new FileDescriptor(check(open("absolute/f"), "open"));
  expect(statusOf(file.number)).toMatchObject({ size: 6 });
  expect(open("up")).toBe(-Errno.ENOENT);
  expect(open("../../secret")).toBe(-Errno.ENOENT);
});

test("attributes hold any bytes", () => {
  using file = create("f");
  const value = bytes("\0\xff\n".repeat(300));
  expect(setAttribute(file.number, bytes("user.a"), value)).toBe(0);
  expect(setAttributeAt(directory.number, bytes("f"), bytes("user.b"), bytes(""))).toBe(0);
  expect(getAttribute(file.number, bytes("user.a"))).toBe(value);
  expect(getAttribute(file.number, bytes("user.none"))).toBe(-Errno.ENODATA);
  const names = listAttributes(file.number);
  expect(typeof names === "number" ? names : names.map(String).sort()).toEqual(["user.a", "user.b"]);
  expect(setAttribute(file.number, bytes("user.a"), bytes("x".repeat(65_537)))).toBe(-Errno.E2BIG);
});

test("locks exclude each other and can be shared", () => {
  using one = create("lock");
  using two = new FileDescriptor(check(openAt(directory.number, bytes("lock"), OpenFlag.O_RDWR), "open"));
  expect(lock(one.number, Lock.shared)).toBe(0);
  expect(lock(two.number, Lock.shared | Lock.nonBlocking)).toBe(0);
  expect(lock(two.number, Lock.exclusive | Lock.nonBlocking)).toBe(-Errno.EAGAIN);
  one.close();
  expect(lock(two.number, Lock.exclusive | Lock.nonBlocking)).toBe(0);
});
