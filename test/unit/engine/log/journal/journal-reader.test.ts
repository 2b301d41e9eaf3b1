import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JournalReader } from "../../../../../src/engine/log/journal/journal-reader.ts";
import type { LogQuery } from "../../../../../src/engine/log/log-query.ts";
import { readIfThere } from "../../../../../src/sys/read-if-there.ts";

const ID = "ab".repeat(32);
const OTHER_ID = "cd".repeat(32);
const USER = 1234;
/** Microseconds. */
const START = 1_700_000_000_000_000;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-journal-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

interface Entry {
  readonly message: string;
  /** Seconds after the first moment. */
  readonly at: number;
  readonly id?: string;
  readonly user?: number;
  readonly stream?: "stdout" | "stderr";
  readonly isPartial?: boolean;
}

/** In the form of journalctl --output=export. */
function exported({ message, at, id = ID, user = USER, stream = "stdout", isPartial = false }: Entry): Buffer {
  const fields = [
    `__REALTIME_TIMESTAMP=${START + at * 1e6}`,
    `__MONOTONIC_TIMESTAMP=${1e6 + at * 1e6}`,
    `_BOOT_ID=${"01".repeat(16)}`,
    `_UID=${user}`,
    `_SOURCE_REALTIME_TIMESTAMP=${START + at * 1e6 - 7}`,
    `CONTAINER_ID_FULL=${id}`,
    `PRIORITY=${stream === "stderr" ? 3 : 6}`,
    ...(isPartial ? ["CONTAINER_PARTIAL_MESSAGE=true"] : []),
  ];
  const text = Buffer.from(message);
  if (text.length === 0) return Buffer.from(`${fields.join("\n")}\nMESSAGE=\n\n`);
  const length = Buffer.alloc(8);
  length.writeUInt32LE(text.length);
  return Buffer.concat([Buffer.from(`${fields.join("\n")}\nMESSAGE\n`), length, text, Buffer.from("\n\n")]);
}

/** Has systemd write entries to a file of the journal, behind those that it has. */
function write(
  name: string,
  entries: readonly Entry[],
  { environment = {}, compress = true }: { environment?: Record<string, string>; compress?: boolean } = {},
): string {
  const path = join(directory, name);
  const { exitCode, stderr } = Bun.spawnSync(
    ["/usr/lib/systemd/systemd-journal-remote", `--compress=${compress}`, "--split-mode=none", "-o", path, "-"],
    { stdin: Buffer.concat(entries.map(exported)), env: { ...process.env, ...environment } },
  );
  if (exitCode !== 0) throw new Error(stderr.toString());
  return path;
}

const warnings: string[] = [];
afterEach(() => {
  warnings.length = 0;
});

function readerOf(query: Partial<LogQuery> = {}, directories: readonly string[] = [directory]): JournalReader {
  const place = { id: ID, name: "web", directories, userId: USER };
  return new JournalReader(place, { since: undefined, until: undefined, tail: undefined, ...query }, (warning) =>
    warnings.push(warning),
  );
}

async function read(query: Partial<LogQuery> = {}, directories?: readonly string[]): Promise<string[]> {
  using reader = readerOf(query, directories);
  const records: string[] = [];
  await reader.readPresent(query.tail, ({ stream, bytes }) => records.push(`${stream}:${bytes}`));
  return records;
}

const numbered = (count: number, from = 0): Entry[] =>
  Array.from({ length: count }, (_, index) => ({ message: `line ${from + index}`, at: from + index }));
const linesOf = (entries: readonly Entry[]) => entries.map(({ message }) => `stdout:${message}\n`);

/** What journalctl finds in the files. */
function journalctl(...files: string[]): string {
  const names = files.map((file) => `--file=${file}`);
  const { stdout } = Bun.spawnSync(["journalctl", ...names, "--output=cat", "--no-pager", `CONTAINER_ID_FULL=${ID}`]);
  return stdout.toString();
}

describe("a journal", () => {
  test.each([
    ["as systemd makes it now", {}],
    ["with offsets of 8 bytes", { SYSTEMD_JOURNAL_COMPACT: "0" }],
    ["with hashes that have no key", { SYSTEMD_JOURNAL_KEYED_HASH: "0", SYSTEMD_JOURNAL_COMPACT: "0" }],
  ])("%s gives a container's entries, among others, as journalctl does", async (_, environment) => {
    const entries = Array.from({ length: 700 }, (_, index) => ({
      message: index % 50 === 0 ? "as before" : `line ${index} ${"long ".repeat(index % 7 === 0 ? 200 : 1)}`,
      at: index,
      id: index % 3 === 0 ? OTHER_ID : ID,
    }));
    const file = write("system.journal", entries, { environment });
    const records = await read();
    expect(records).toEqual(linesOf(entries.filter(({ id }) => id === ID)));
    expect(records.map((record) => record.slice("stdout:".length)).join("")).toBe(journalctl(file));
    expect(warnings).toEqual([]);
  });

  test("knows the stream, pieces of lines, bytes that are no text, and the time", async () => {
    write("system.journal", [
      { message: "first half, ", at: 0, isPartial: true },
      { message: "second half", at: 0.25 },
      { message: "", at: 1 },
      { message: "wrong\0\n", at: 2, stream: "stderr" },
      { message: "forged", at: 3, user: 4321 },
    ]);
    using reader = readerOf();
    const records: string[] = [];
    await reader.readPresent(undefined, ({ stream, time, bytes }) => records.push(`${stream} ${time} ${bytes}`));
    expect(records).toEqual([
      "stdout 2023-11-14T22:13:20.000000000Z first half, ",
      "stdout 2023-11-14T22:13:20.250000000Z second half\n",
      "stdout 2023-11-14T22:13:21.000000000Z \n",
      "stderr 2023-11-14T22:13:22.000000000Z wrong\0\n\n",
    ]);
  });

  test("is read from a time on, up to a time, and from its end", async () => {
    const entries = numbered(100);
    write("system.journal", entries);
    const at = (seconds: number) => BigInt(START + seconds * 1_000_000) * 1000n;
    expect(await read({ since: at(95) })).toEqual(linesOf(entries.slice(95)));
    expect(await read({ since: at(95) + 1n })).toEqual(linesOf(entries.slice(96)));
    expect(await read({ until: at(3) })).toEqual(linesOf(entries.slice(0, 4)));
    expect(await read({ until: at(3) - 1n })).toEqual(linesOf(entries.slice(0, 3)));
    expect(await read({ tail: 0 })).toEqual([]);
    expect(await read({ tail: 3 })).toEqual(linesOf(entries.slice(97)));
    expect(await read({ tail: 300 })).toEqual(linesOf(entries));
    expect(await read({ tail: 3, until: at(50) })).toEqual(linesOf(entries.slice(48, 51)));
    expect(await read({ tail: 30, since: at(98) })).toEqual(linesOf(entries.slice(98)));
  });

  test("may be in several files and directories", async () => {
    const volatile = join(directory, "volatile");
    mkdirSync(volatile);
    const entries = numbered(60);
    write("user-1234@aside.journal", entries.slice(0, 20));
    write("volatile/system.journal", entries.slice(20, 40));
    // As one is called that journald has found damaged.
    renameSync(write("unclean.journal", entries.slice(40)), join(directory, "user-1234.journal~"));
    const both = [directory, volatile];
    expect(await read({}, both)).toEqual(linesOf(entries));
    expect(await read({ tail: 45 }, both)).toEqual(linesOf(entries.slice(15)));
  });

  test("is read further when it grows, is put aside and begun anew", async () => {
    const entries = numbered(2000);
    write("system.journal", [{ message: "another's", at: 0, id: OTHER_ID }]);
    using reader = readerOf();
    const records: string[] = [];
    const readAdded = async () => {
      const before = records.length;
      await reader.readAdded(({ bytes }) => records.push(`stdout:${bytes}`));
      return records.length - before;
    };
    await reader.readPresent(undefined, () => records.push("there are none"));
    // From the first entry, which no array has, over several arrays.
    for (const [from, to] of [
      [0, 1],
      [1, 2],
      [2, 900],
      [900, 901],
      [901, 1000],
    ] as const) {
      write("system.journal", entries.slice(from, to));
      expect(await readAdded()).toBe(to - from);
    }
    expect(await readAdded()).toBe(0);
    renameSync(join(directory, "system.journal"), join(directory, "system@aside.journal"));
    expect(await readAdded()).toBe(0);
    write("system@aside.journal", entries.slice(1000, 1500));
    write("system.journal", entries.slice(1500));
    expect(await readAdded()).toBe(1000);
    expect(records).toEqual(linesOf(entries));
    // A file that journald has archived is not held open when it has been read, nor read again.
    const STATE = 16;
    const aside = join(directory, "system@aside.journal");
    const bytes = readFileSync(aside);
    const isOpen = () =>
      readdirSync("/proc/self/fd").some((fd) => readIfThere(`/proc/self/fdinfo/${fd}`)?.includes(`ino:\t${inode}\n`));
    const inode = statSync(aside).ino;
    expect(isOpen()).toBe(true);
    bytes[STATE] = 2;
    writeFileSync(aside, bytes);
    expect(await readAdded()).toBe(0);
    expect(isOpen()).toBe(false);
    expect(await readAdded()).toBe(0);
  });

  test("is read further when one of the directories has gone", async () => {
    const volatile = join(directory, "volatile");
    mkdirSync(volatile);
    const entries = numbered(4);
    write("volatile/system.journal", entries.slice(0, 2));
    write("system.journal", [{ message: "another's", at: 0, id: OTHER_ID }]);
    using reader = readerOf({}, [volatile, directory]);
    const records: string[] = [];
    await reader.readPresent(undefined, ({ bytes }) => records.push(`stdout:${bytes}`));
    rmSync(volatile, { recursive: true });
    write("system.journal", entries.slice(2));
    await reader.readAdded(({ bytes }) => records.push(`stdout:${bytes}`));
    expect(records).toEqual(linesOf(entries));
  });

  test("is over when something later than wanted comes", async () => {
    write("system.journal", numbered(3));
    using reader = readerOf({ until: BigInt(START + 5_000_000) * 1000n });
    const records: string[] = [];
    await reader.readPresent(undefined, ({ bytes }) => records.push(bytes.toString()));
    expect(reader.isOver).toBe(false);
    write("system.journal", numbered(10, 4));
    await reader.readAdded(({ bytes }) => records.push(bytes.toString()));
    expect(reader.isOver).toBe(true);
    expect(records).toEqual(["line 0\n", "line 1\n", "line 2\n", "line 4\n", "line 5\n"]);
  });

  test("may have texts that lz4 or xz has compressed, as older systems do", async () => {
    const message = `${"as long as journald compresses ".repeat(40)}end`;
    const payload = Buffer.from(`MESSAGE=${message}`);
    const lz4 = Buffer.concat([Buffer.alloc(8), lz4Block(payload)]);
    lz4.writeUInt32LE(payload.length);
    const xz = Bun.spawnSync(["xz", "--check=none", "--stdout"], { stdin: payload }).stdout;
    for (const [flag, packed] of [
      [2, lz4],
      [1, xz],
    ] as const) {
      const path = write(`${flag}.journal`, [{ message, at: flag }], {
        environment: { SYSTEMD_JOURNAL_COMPACT: "0", SYSTEMD_JOURNAL_KEYED_HASH: "0" },
        compress: false,
      });
      const bytes = readFileSync(path);
      // The data object with the message: its flags and size, and what it holds.
      const object = bytes.indexOf(payload) - 64;
      bytes[object + 1] = flag;
      bytes.writeUInt32LE(64 + packed.length, object + 8);
      packed.copy(bytes, object + 64);
      bytes.writeUInt32LE(bytes.readUInt32LE(12) | flag, 12);
      writeFileSync(path, bytes);
      expect(journalctl(path)).toBe(`${message}\n`);
    }
    expect(await read()).toEqual([`stdout:${message}\n`, `stdout:${message}\n`]);
    expect(warnings).toEqual([]);
  });
});

/** The only block of what the program lz4 makes. */
function lz4Block(bytes: Buffer): Buffer {
  const { stdout } = Bun.spawnSync(["lz4", "-c", "--no-frame-crc", "-"], { stdin: bytes });
  // Behind the frame's header, which is of 7 bytes without the length of the content: the block's length.
  return stdout.subarray(11, 11 + stdout.readUInt32LE(7));
}

describe("what is wrong with a journal is said", () => {
  test("when there is none, or none that may be read", async () => {
    expect(read({}, [])).rejects.toThrow(
      "read the log of container web: it is in systemd's journal, and there is none in /var/log/journal or /run/log/journal",
    );
  });

  test("when a file is none, is cut off, or is of a newer form", async () => {
    const entries = numbered(300);
    const whole = readFileSync(write("whole.journal", entries));
    writeFileSync(join(directory, "text.journal"), "This is not a journal at all.".repeat(100));
    writeFileSync(join(directory, "short.journal"), whole.subarray(0, 100));
    writeFileSync(join(directory, "being-made.journal"), "");
    const newer = Buffer.from(whole);
    newer.writeUInt32LE(1 << 9, 12);
    writeFileSync(join(directory, "newer.journal"), newer);
    expect(await read()).toEqual(linesOf(entries));
    const said = (name: string, why: string) =>
      `the journal's file ${directory}/${name}.journal is not read further: ${why}`;
    expect(warnings.toSorted()).toEqual([
      said("newer", "it is of a newer form than Bunker knows"),
      said("short", "it ends in the middle"),
      said("text", "it is no journal"),
    ]);
  });

  test("when a file ends in the middle, after what is there", async () => {
    const entries = numbered(300);
    const path = write("cut.journal", entries);
    truncateSync(path, readFileSync(path).indexOf("MESSAGE=line 200"));
    const records = await read();
    expect(records.length).toBeLessThanOrEqual(200);
    expect(linesOf(entries).slice(0, records.length)).toEqual(records);
    expect(warnings).toEqual([`the journal's file ${path} is not read further: it ends in the middle`]);
  });

  test("when what an entry says is damaged, and other files are read on", async () => {
    const entries = numbered(40);
    const path = write("damaged.journal", entries.slice(0, 20));
    write("whole.journal", entries.slice(20));
    const bytes = readFileSync(path);
    // The type of the data object with the message.
    const head = bytes.readUInt32LE(12) & 16 ? 72 : 64;
    bytes[bytes.indexOf("MESSAGE=line 7") - head] = 0;
    writeFileSync(path, bytes);
    expect(await read()).toEqual(linesOf([...entries.slice(0, 7), ...entries.slice(20)]));
    expect(warnings).toEqual([expect.stringContaining("damaged.journal is not read further: there is no such object")]);
  });

  test("whatever a file's bytes are", async () => {
    const whole = readFileSync(write("whole.journal", numbered(40)));
    const used = whole.lastIndexOf("line 39") + 512;
    rmSync(join(directory, "whole.journal"));
    // Numbers of a fixed sequence: each failure happens again.
    let state = 1;
    const next = (limit: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    };
    const begin = whole.indexOf(Buffer.from(`_UID=${USER}`)) - 4096;
    const path = join(directory, "damaged.journal");
    let complaints = 0;
    for (let round = 0; round < 100; round++) {
      const bytes = Buffer.from(whole.subarray(0, used));
      for (let count = 0; count < 20; count++) {
        const where = round % 2 === 0 ? next(280) : begin + next(used - begin);
        if (where >= 8) bytes[where] = next(256);
      }
      writeFileSync(path, bytes);
      const records = await read();
      expect(records.length).toBeLessThanOrEqual(40);
      complaints += warnings.length;
      rmSync(path);
      warnings.length = 0;
    }
    expect(complaints).toBeGreaterThan(25);
  });
});
