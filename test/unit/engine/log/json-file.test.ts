import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compressFile } from "../../../../src/engine/log/compress-file.ts";
import { JsonFileReader } from "../../../../src/engine/log/json-file-reader.ts";
import { JsonFileWriter } from "../../../../src/engine/log/json-file-writer.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-logs-"));
  path = `${directory}/log`;
});
afterEach(() => rmSync(directory, { recursive: true }));

const plain = { driver: "json-file", maximumFiles: 1, compress: false } as const;

function writer(configuration: ConstructorParameters<typeof JsonFileWriter>[1] = plain, aside: string[] = []) {
  return new JsonFileWriter(path, configuration, (file) => {
    aside.push(file);
    return () => {};
  });
}

function read(query: { since?: bigint; until?: bigint; tail?: number } = {}): string[] {
  using reader = new JsonFileReader(path, { since: undefined, until: undefined, tail: undefined, ...query });
  const records: string[] = [];
  reader.readPresent(query.tail, ({ stream, bytes }) => records.push(`${stream}:${bytes}`));
  return records;
}

const records = () =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("a log in Docker's json-file form", () => {
  test("has a record for each line, with stream and time", () => {
    const log = writer();
    log.write("stdout", Buffer.from("one\ntwo\n"));
    log.write("stderr", Buffer.from("three\n"));
    log.end();
    expect(records()).toEqual([
      { log: "one\n", stream: "stdout", time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/) },
      { log: "two\n", stream: "stdout", time: expect.any(String) },
      { log: "three\n", stream: "stderr", time: expect.any(String) },
    ]);
    expect(read()).toEqual(["stdout:one\n", "stdout:two\n", "stderr:three\n"]);
  });

  test.each([
    ["controls", '\u0000\u001b[1m\t"\\\u007f'],
    ["markup", "<a href='x'>&</a>"],
    ["other writing", "žluťoučký kůň 漢字 🐎"],
    ["line separators", "a\u2028b\u2029c"],
  ])("keeps %s", (_what, text) => {
    const log = writer();
    log.write("stdout", Buffer.from(`${text}\n`));
    log.end();
    expect(records()[0].log).toBe(`${text}\n`);
    expect(readFileSync(path, "latin1")).not.toMatch(/[<>&]/);
    expect(read()).toEqual([`stdout:${text}\n`]);
  });

  test("is the same however output comes in pieces", () => {
    const words = ["plain words ", '"quoted" ', "\t<&>\\ ", "漢字 🐎 ", "\n", "\n", "\r\n", "x".repeat(5000)];
    // A generator of its own: the same text each time.
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 48271) % 0x7fffffff;
      return seed % below;
    };
    const text = `${Array.from({ length: 4000 }, () => words[random(words.length)]).join("")}\n`;
    const bytes = Buffer.from(text);
    const log = writer();
    for (let start = 0; start < bytes.length; ) {
      const end = start + 1 + random([10, 1000, 200_000][random(3)] ?? 1);
      log.write("stdout", bytes.subarray(start, end));
      start = end;
    }
    log.end();
    const made = records();
    expect(Buffer.concat(made.map((record) => Buffer.from(record.log))).equals(bytes)).toBe(true);
    expect(made.filter((record) => record.log.endsWith("\n"))).toHaveLength(text.split("\n").length - 1);
    const times = made.map((record) => record.time);
    expect(times).toEqual(times.toSorted());
    expect(new Set(times).size).toBe(times.length);
  });

  test("escapes exactly what Docker escapes, and as Docker does", () => {
    const log = writer();
    log.write("stdout", Buffer.from('plain\n\t\r\b\u0000\u007f"\\/<>&é\u2028\u2029漢🐎\n'));
    log.end();
    const [, line] = readFileSync(path, "utf8").split("\n");
    const text = '\\u0009\\r\\u0008\\u0000\u007f\\"\\\\/\\u003c\\u003e\\u0026é\\u2028\\u2029漢🐎\\n';
    expect(line?.slice(0, line.indexOf(',"stream"'))).toBe(`{"log":"${text}"`);
  });

  test.each([
    ["a byte that never occurs", [0xff], 1],
    ["a continuation", [0x80], 1],
    ["an overlong slash", [0xc0, 0xaf], 2],
    ["an overlong euro sign", [0xe0, 0x82, 0xac], 3],
    ["a surrogate", [0xed, 0xa0, 0x80], 3],
    ["beyond Unicode", [0xf4, 0x90, 0x80, 0x80], 4],
    ["the beginning of a horse", [0xf0, 0x9f, 0x90], 3],
  ])("writes %s as U+FFFD for each byte, as Go does", (_what, bytes, count) => {
    const log = writer();
    log.write("stdout", Buffer.from([0x61, ...bytes, 0x62, 0x0a, ...bytes]));
    log.end();
    const replaced = "\ufffd".repeat(count);
    expect(records().map((record) => record.log)).toEqual([`a${replaced}b\n`, replaced]);
  });

  test("has times that only go forward, however many records a millisecond has", () => {
    const log = writer();
    for (let piece = 0; piece < 30; piece++) {
      log.write(piece % 2 === 0 ? "stdout" : "stderr", Buffer.from(`plain\n"quoted"\n${"x\n".repeat(500)}`));
    }
    log.end();
    const times = records().map((record) => record.time);
    expect(times).toHaveLength(15_060);
    expect(times.every((time, index) => index === 0 || time > times[index - 1])).toBe(true);
  });

  test("puts lines together that come in pieces, for each stream by itself", () => {
    const log = writer();
    for (const piece of ["he", "l", "lo\nwor"]) {
      log.write("stdout", Buffer.from(piece));
      log.write("stderr", Buffer.from("."));
    }
    log.end();
    expect(read()).toEqual(["stdout:hello\n", "stdout:wor", "stderr:..."]);
  });

  test.each([16383, 16384, 16385, 32768, 50_000])("cuts a line of %d bytes every 16 KiB, as Docker does", (length) => {
    for (const piece of [65536, 1000, 16384, 7]) {
      rmSync(path, { force: true });
      const log = writer();
      const bytes = Buffer.from(`${"x".repeat(length)}\nnext\n`);
      for (let start = 0; start < bytes.length; start += piece)
        log.write("stdout", bytes.subarray(start, start + piece));
      log.end();
      const found = records().map((record) => record.log);
      expect(found.join("")).toBe(bytes.toString());
      expect(found.slice(0, -2).every((text) => text.length === 16384)).toBe(true);
      expect(found.at(-2)?.length).toBe((length % 16384) + 1);
    }
  });

  test("keeps any bytes in any pieces, as far as they are text", () => {
    const random = (limit: number) => Math.floor(Math.random() * limit);
    const text = Array.from({ length: 3000 }, () => ["a", "\n", "é", '"', "\\", "<", "🐎", " ", "\r"][random(9)]).join(
      "",
    );
    const bytes = Buffer.from(text);
    const log = writer();
    for (let start = 0; start < bytes.length; ) {
      const end = start + 1 + random(300);
      log.write("stdout", bytes.subarray(start, end));
      start = end;
    }
    log.end();
    expect(
      read()
        .map((record) => record.slice(7))
        .join(""),
    ).toBe(text);
  });

  test("is rotated at its size, and the oldest files go", () => {
    const aside: string[] = [];
    const log = writer({ driver: "json-file", maximumSize: 300, maximumFiles: 3, compress: false }, aside);
    for (let line = 0; line < 40; line++) log.write("stdout", Buffer.from(`line ${line}\n`));
    log.end();
    expect(existsSync(`${path}.2`) && !existsSync(`${path}.3`)).toBe(true);
    const lines = read();
    expect(lines.at(-1)).toBe("stdout:line 39\n");
    const first = Number(lines[0]?.slice(12));
    expect(lines).toEqual(Array.from({ length: 40 - first }, (_, index) => `stdout:line ${first + index}\n`));
    expect(aside).toEqual([]);
  });

  test("is read when it was compressed", async () => {
    const aside: string[] = [];
    const log = writer({ driver: "json-file", maximumSize: 300, maximumFiles: 5, compress: true }, aside);
    let line = 0;
    while (aside.length < 2) {
      log.write("stdout", Buffer.from(`line ${line++}\n`));
      for (const file of aside) if (existsSync(file)) await compressFile(file);
    }
    log.end();
    expect(existsSync(`${path}.2.gz`) && !existsSync(`${path}.2`)).toBe(true);
    const all = read();
    expect(all).toEqual(Array.from({ length: line }, (_, index) => `stdout:line ${index}\n`));
    for (const tail of [1, 3, line - 1, line, 1000]) expect(read({ tail })).toEqual(all.slice(-tail));
  });

  test("gives the last records, also when they are beyond a block", () => {
    const log = writer();
    for (let line = 0; line < 12; line++)
      log.write("stdout", Buffer.from(`${String(line).padStart(15_000, "x").repeat(12)}\n`));
    log.end();
    const all = read();
    for (const tail of [0, 1, 5, all.length - 1, all.length + 1]) {
      expect(read({ tail })).toEqual(tail === 0 ? [] : all.slice(-tail));
    }
  });

  test("gives records from and up to a time", () => {
    const record = (time: string) => `{"log":"${time}\\n","stream":"stdout","time":"${time}"}\n`;
    const times = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01.5Z", "2026-01-01T00:00:02.000000001Z"];
    appendFileSync(path, times.map(record).join(""));
    const at = (second: number, nanoseconds = 0) =>
      BigInt(Date.UTC(2026, 0, 1, 0, 0, second)) * 1_000_000n + BigInt(nanoseconds);
    expect(read({ since: at(1) }).length).toBe(2);
    expect(read({ until: at(1) }).length).toBe(1);
    // To the nanosecond, and with what was written just then.
    expect(read({ since: at(2, 1) }).length).toBe(1);
    expect(read({ since: at(2, 2) }).length).toBe(0);
    expect(read({ until: at(2, 1) }).length).toBe(3);
    expect(read({ until: at(2) }).length).toBe(2);
    expect(read({ until: at(0) }).length).toBe(1);
    expect(read({ since: at(0, 1), until: at(1, 500_000_000) }).length).toBe(1);
    expect(read({ since: -1n }).length).toBe(3);
  });

  test("passes over lines that are no records", () => {
    appendFileSync(path, 'nonsense\n{"log":"good\\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}\n{"log":"half');
    expect(read()).toEqual(["stdout:good\n"]);
  });

  test("follows what is added, also over a rotation", () => {
    using reader = new JsonFileReader(path, { since: undefined, until: undefined, tail: undefined });
    const found: string[] = [];
    const add = () => reader.readAdded(({ bytes }) => found.push(bytes.toString()));
    const log = writer({ driver: "json-file", maximumSize: 200, maximumFiles: 3, compress: false });
    add();
    for (let line = 0; line < 10; line++) {
      log.write("stdout", Buffer.from(`${line}\n`));
      add();
    }
    expect(found.join("")).toBe("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  });

  for (const compress of [false, true]) {
    test(`follows over several rotations at once, ${compress ? "with" : "without"} compression`, async () => {
      using reader = new JsonFileReader(path, { since: undefined, until: undefined, tail: undefined });
      const found: string[] = [];
      const aside: string[] = [];
      const log = writer({ driver: "json-file", maximumSize: 200, maximumFiles: 9, compress }, aside);
      let line = 0;
      // What has been read to its end is compressed as well, and the oldest files go.
      for (let round = 0; round < 8; round++) {
        for (let count = 0; count < 7; count++) {
          log.write("stdout", Buffer.from(`${line++}\n`));
          for (const file of aside.splice(0)) await compressFile(file);
        }
        reader.readAdded(({ bytes }) => found.push(bytes.toString()));
      }
      log.end();
      expect(found).toEqual(Array.from({ length: line }, (_, index) => `${index}\n`));
      expect(existsSync(`${path}.8`) || existsSync(`${path}.8.gz`)).toBe(true);
    });
  }

  test("is read with a file that has no name for a moment", () => {
    const log = writer({ driver: "json-file", maximumSize: 200, maximumFiles: 4, compress: false });
    for (let line = 0; line < 7; line++) log.write("stdout", Buffer.from(`${line}\n`));
    log.end();
    const all = read();
    // As between two of a rotation's renames.
    renameSync(`${path}.2`, `${path}.3`);
    expect(read()).toEqual(all);
    renameSync(`${path}.1`, `${path}.2`);
    expect(read()).toEqual(all);
    renameSync(path, `${path}.1`);
    expect(read()).toEqual(all);
  });

  test("counts what a full disk does not take, and goes on", () => {
    const log = new JsonFileWriter("/dev/full", plain, () => () => {});
    log.write("stdout", Buffer.from("lost\n"));
    expect(log.lost).toEqual({ bytes: expect.any(Number), errno: 28 });
    expect(log.lost.bytes).toBeGreaterThan(5);
  });
});
