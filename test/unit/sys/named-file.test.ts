import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Errno } from "../../../src/sys/errno.ts";
import { BunkerError } from "../../../src/sys/error.ts";
import {
  canWrite,
  directoryNames,
  exists,
  linkFile,
  makeDirectories,
  makeDirectory,
  openFile,
  putText,
  readText,
  renameFile,
  statusIfThere,
  statusOfOpen,
  writeText,
} from "../../../src/sys/named-file.ts";
import { OpenFlag } from "../../../src/sys/open.ts";
import { readIfThere } from "../../../src/sys/read-if-there.ts";
import { unlinkIfThere } from "../../../src/sys/unlink-if-there.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "named-file-"));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** What a call that fails says. */
function failureOf(call: () => unknown): { readonly errno: number | undefined; readonly message: string } {
  try {
    call();
  } catch (error) {
    if (error instanceof BunkerError && error.code === "system_call_failed") return error;
    throw error;
  }
  throw new Error("it has not failed");
}

test("a text is read whole, however its letters lie in the pieces that it is read by", () => {
  const path = `${directory}/größe`;
  for (const text of ["", "short\n", `x${"ö€😀".repeat(10_000)}`]) {
    writeFileSync(path, text);
    expect(readText(path) === text).toBe(true);
  }
  // A file of the kernel's, which says that it has no bytes.
  expect(readText("/proc/version")).toBe(readFileSync("/proc/version", "utf8"));
});

test("what cannot be read is said, or is not there", () => {
  const missing = `${directory}/missing`;
  expect(failureOf(() => readText(missing)).message).toBe(`open ${missing}: ENOENT`);
  expect(failureOf(() => readText(directory)).message).toBe(`read ${directory}: EISDIR`);
  // The kernel would read the name up to there.
  expect(failureOf(() => readText(`${directory}\0x`)).errno).toBe(Errno.EINVAL);
  expect(readIfThere(missing)).toBeUndefined();
  expect(readIfThere(directory)).toBeUndefined();
  expect(readIfThere("/proc/self/comm")).not.toBeUndefined();
});

test("a text takes the place of what a file has had, and makes no file", () => {
  const path = `${directory}/file`;
  expect(failureOf(() => writeText(path, "x")).errno).toBe(Errno.ENOENT);
  writeFileSync(path, "something longer");
  writeText(path, "ö");
  expect(readFileSync(path, "utf8")).toBe("ö");
  const long = "ö€😀".repeat(10_000);
  writeText(path, long);
  expect(readFileSync(path, "utf8") === long).toBe(true);
});

test("a descriptor is not inherited, and knows its file after that has another name", () => {
  const path = `${directory}/file`;
  using file = openFile(path, OpenFlag.O_RDWR | OpenFlag.O_CREAT | OpenFlag.O_EXCL, 0o600);
  expect(lstatSync(path).mode & 0o777).toBe(0o600);
  expect(readText(`/proc/self/fdinfo/${file.number}`)).toMatch(/^flags:\s+02\d{6}$/m);
  expect(failureOf(() => openFile(path, OpenFlag.O_CREAT | OpenFlag.O_EXCL)).errno).toBe(Errno.EEXIST);
  linkFile(path, `${directory}/other`);
  expect(failureOf(() => linkFile(path, `${directory}/other`)).errno).toBe(Errno.EEXIST);
  renameFile(path, `${directory}/new`);
  expect(statusIfThere(path)).toBeUndefined();
  expect(statusOfOpen(file.number, path).inode).toBe(lstatSync(`${directory}/new`).ino);
  expect(failureOf(() => renameFile(path, `${directory}/new`)).message).toBe(`rename ${path}: ENOENT`);
  expect(directoryNames(directory).sort()).toEqual(["new", "other"]);
});

test("a status is that of what links lead to", () => {
  writeFileSync(`${directory}/file`, "12345");
  symlinkSync("file", `${directory}/link`);
  symlinkSync("nothing", `${directory}/broken`);
  expect(statusIfThere(`${directory}/link`)?.size).toBe(5);
  expect(statusIfThere(`${directory}/broken`)).toBeUndefined();
  expect(failureOf(() => statusIfThere(`${directory}/file/below`)).errno).toBe(Errno.ENOTDIR);
});

test("directories are made with those above them, once, and not where something else is", () => {
  makeDirectories(`${directory}/a/ö/c`, 0o700);
  makeDirectories(`${directory}/a/ö/c`, 0o700);
  expect(lstatSync(`${directory}/a/ö`).mode & 0o777).toBe(0o700);
  expect(directoryNames(`${directory}/a`)).toEqual(["ö"]);
  symlinkSync("a", `${directory}/link`);
  makeDirectories(`${directory}/link`, 0o700);
  writeFileSync(`${directory}/file`, "");
  expect(failureOf(() => makeDirectories(`${directory}/file`, 0o700)).errno).toBe(Errno.EEXIST);
  expect(failureOf(() => makeDirectories(`${directory}/file/below`, 0o700)).errno).toBe(Errno.ENOTDIR);
  expect(failureOf(() => directoryNames(`${directory}/file`)).errno).toBe(Errno.ENOTDIR);
});

test("who may write is known without trying", () => {
  expect(canWrite(directory)).toBe(true);
  expect(failureOf(() => canWrite(`${directory}/missing`)).errno).toBe(Errno.ENOENT);
  // Root may write everything that is not mounted read-only.
  mkdirSync(`${directory}/mine`);
  chmodSync(`${directory}/mine`, 0o500);
  expect(canWrite(`${directory}/mine`)).toBe(process.geteuid?.() === 0);
});

test("a file is removed if it is there", () => {
  const path = `${directory}/file`;
  unlinkIfThere(path);
  writeFileSync(path, "");
  unlinkIfThere(path);
  expect(directoryNames(directory)).toEqual([]);
  expect(failureOf(() => unlinkIfThere(directory)).message).toBe(`remove ${directory}: EISDIR`);
});

test("a text becomes all that a file has, in one call", () => {
  const path = `${directory}/text`;
  for (const text of [`x${"ö€😀".repeat(10_000)}`, "short\n", ""]) {
    putText(path, text, 0o640);
    expect(readFileSync(path, "utf8") === text).toBe(true);
  }
  expect(lstatSync(path).mode & 0o777).toBe(0o640 & ~process.umask());
  expect(failureOf(() => putText(`${directory}/missing/text`, "")).errno).toBe(Errno.ENOENT);
});

test("what is there is found through links, and a directory is made once", () => {
  const path = `${directory}/made`;
  symlinkSync("made", `${directory}/link`);
  expect([exists(path), exists(`${directory}/link`)]).toEqual([false, false]);
  makeDirectory(path, 0o700);
  expect([exists(path), exists(`${directory}/link`)]).toEqual([true, true]);
  expect(failureOf(() => makeDirectory(path)).errno).toBe(Errno.EEXIST);
});
