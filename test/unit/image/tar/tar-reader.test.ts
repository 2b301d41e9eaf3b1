import { describe, expect, test } from "bun:test";
import type { TarEntry } from "../../../../src/image/tar/tar-entry.ts";
import { TarReader } from "../../../../src/image/tar/tar-reader.ts";
import { BunkerError } from "../../../../src/sys/error.ts";
import {
  archive,
  gnuLongName,
  header,
  type Member,
  member,
  padded,
  paxHeader,
  paxRecord,
  writeChecksum,
} from "../tar-builder.ts";

interface Read {
  readonly entry: TarEntry;
  /** The file with its holes. */
  content: Buffer;
}

function read(bytes: Buffer, pieceSize = bytes.length): Read[] {
  const entries: Read[] = [];
  const reader = new TarReader({
    entry: (entry) => entries.push({ entry, content: Buffer.alloc(Math.min(entry.size, 1 << 24)) }),
    data: (chunk, start, end, offset) => {
      const last = entries.at(-1);
      if (last === undefined) throw new Error("data before an entry");
      chunk.copy(last.content, offset, start, end);
    },
    end: () => {},
  });
  for (let at = 0; at < bytes.length; at += pieceSize) reader.feed(bytes.subarray(at, at + pieceSize));
  reader.finish();
  return entries;
}

function readOne(entry: Member): Read {
  const [first, ...rest] = read(archive([entry]));
  if (first === undefined || rest.length > 0) throw new Error("expected one entry");
  return first;
}

const text = (value: string) => Buffer.from(value).toString("latin1");

describe("entries", () => {
  test.each([1, 7, 511, 512, 513, 4096])("are the same in pieces of %i bytes", (pieceSize) => {
    const content = "x".repeat(1500);
    const bytes = archive([
      { name: "a/", type: "5" },
      { name: "a/b", content, pax: { mtime: "5.25" } },
      { name: "a/c", content: "end" },
    ]);
    const entries = read(bytes, pieceSize);
    expect(entries.map(({ entry }) => String(entry.name))).toEqual(["a/", "a/b", "a/c"]);
    expect(entries[1]?.content.toString()).toBe(content);
    expect(entries[1]?.entry.modified).toEqual({ seconds: 5, nanoseconds: 250_000_000 });
    expect(entries[2]?.content.toString()).toBe("end");
  });

  test("have every type", () => {
    const types = {
      "0": "file",
      "\0": "file",
      "7": "file",
      "1": "hard-link",
      "2": "symbolic-link",
      "3": "character-device",
    };
    for (const [type, expected] of Object.entries({ ...types, "4": "block-device", "5": "directory", "6": "fifo" })) {
      expect(readOne({ name: "n", type }).entry.type).toBe(expected as TarEntry["type"]);
    }
    expect(readOne({ name: "n/" }).entry.type).toBe("directory");
  });

  test("have no data but those of files: that of others is passed over, or not there", () => {
    const next = { name: "next", content: "abc" };
    for (const odd of [
      { name: "old/", type: "0", content: "x".repeat(600) },
      { name: "old/", type: "\0", content: "x" },
      { name: "d/", type: "5", size: 600 },
      { name: "l", type: "1", linkName: "next", size: 3 },
    ]) {
      const [first, second] = read(archive([odd, next]), 100);
      expect(first?.entry.size).toBe(0);
      expect(first?.content.length).toBe(0);
      expect(second?.content.toString()).toBe("abc");
    }
  });

  test("carry owner, mode, devices and link targets", () => {
    const { entry } = readOne({
      name: "n",
      type: "4",
      mode: 0o104755,
      uid: 12,
      gid: 34,
      device: [8, 300],
      linkName: "l",
    });
    expect(entry).toMatchObject({ mode: 0o4755, uid: 12, gid: 34, deviceMajor: 8, deviceMinor: 300 });
    expect(String(readOne({ name: "n", type: "2", linkName: "../t" }).entry.linkName)).toBe("../t");
  });

  test("may have a prefix in POSIX archives only", () => {
    const prefixed = { name: "n", patch: (block: Buffer) => block.write("some/where", 345) };
    expect(String(readOne(prefixed).entry.name)).toBe("some/where/n");
    const gnu = (block: Buffer) => {
      block.write("some/where", 345);
      block.write("ustar  \0", 257, "latin1");
    };
    expect(String(readOne({ name: "n", patch: gnu }).entry.name)).toBe("n");
  });

  test("keep names of arbitrary bytes", () => {
    const name = "new\nline\xff\xfe\x01";
    expect(String(readOne({ name }).entry.name)).toBe(name);
    expect(String(readOne({ name: "x", pax: { path: name } }).entry.name)).toBe(name);
  });

  test("take numbers in base 256, negative times too", () => {
    const big = (block: Buffer) => {
      block.fill(0, 108, 116);
      block[108] = 0x80;
      block.writeUInt32BE(4_000_000_000, 112);
      block.fill(0xff, 136, 148);
    };
    const { entry } = readOne({ name: "n", patch: big });
    expect(entry.uid).toBe(4_000_000_000);
    expect(entry.modified).toEqual({ seconds: -1, nanoseconds: 0 });
  });

  test("may be followed by nothing at all", () => {
    expect(read(member({ name: "n", content: "abc" }))).toHaveLength(1);
    expect(read(Buffer.alloc(0))).toEqual([]);
  });

  test("end at two blocks of zeros, whatever follows", () => {
    expect(read(Buffer.concat([archive([{ name: "n" }]), Buffer.alloc(700, 0xaa)]))).toHaveLength(1);
  });
});

describe("extension headers", () => {
  test("of GNU give long names", () => {
    const long = `${"d/".repeat(150)}n`;
    const bytes = Buffer.concat([
      gnuLongName("K", `${long}k`),
      gnuLongName("L", long),
      archive([{ name: "short", type: "2", linkName: "short" }, { name: "next" }]),
    ]);
    const [first, second] = read(bytes);
    expect(String(first?.entry.name)).toBe(long);
    expect(String(first?.entry.linkName)).toBe(`${long}k`);
    expect(String(second?.entry.name)).toBe("next");
  });

  test("of pax override fields, for one entry", () => {
    const records = {
      path: "p",
      linkpath: "l",
      uid: "3000000",
      gid: "7",
      size: "3",
      atime: "9.000000001",
      mtime: "-1.5",
    };
    const [first, second] = read(
      archive([
        { name: "n", content: "abc", size: 0, pax: records },
        { name: "next", uid: 1 },
      ]),
    );
    expect(first?.entry).toMatchObject({ name: "p" as TarEntry["name"], uid: 3_000_000, gid: 7, size: 3 });
    expect(first?.entry.modified).toEqual({ seconds: -2, nanoseconds: 500_000_000 });
    expect(first?.entry.accessed).toEqual({ seconds: 9, nanoseconds: 1 });
    expect(first?.content.toString()).toBe("abc");
    expect(second?.entry).toMatchObject({ name: "next" as TarEntry["name"], uid: 1, accessed: undefined });
  });

  test("bring attributes with any bytes", () => {
    const { entry } = readOne({ name: "n", pax: { "SCHILY.xattr.user.a": "\0=\n\xff", "SCHILY.xattr.user.b": "" } });
    expect([...entry.attributes].map(([name, value]) => [String(name), String(value)])).toEqual([
      ["user.a", "\0=\n\xff"],
      ["user.b", ""],
    ]);
  });

  test("hold for all entries when they are global, until changed", () => {
    const bytes = Buffer.concat([
      paxHeader("g", { uid: "5", gid: "6" }),
      member({ name: "a" }),
      member({ name: "b", pax: { uid: "8" } }),
      paxHeader("g", { uid: "9" }),
      archive([{ name: "c" }]),
    ]);
    expect(read(bytes).map(({ entry }) => [entry.uid, entry.gid])).toEqual([
      [5, 6],
      [8, 6],
      [9, 6],
    ]);
  });
});

describe("files with holes", () => {
  const whole = Buffer.concat([Buffer.alloc(4096), Buffer.from("middle"), Buffer.alloc(4090), Buffer.from("end")]);
  const numbers = [4096, 6, 8192, 3];
  const data = "middleend";

  test.each([
    ["0.0", { "GNU.sparse.size": "8195", "GNU.sparse.numblocks": "2" }],
    ["0.1", { "GNU.sparse.size": "8195", "GNU.sparse.numblocks": "2", "GNU.sparse.map": numbers.join(",") }],
  ])("in format %s", (version, records) => {
    const pairs: [string, string][] = [];
    if (version === "0.0") {
      numbers.forEach((value, at) => {
        pairs.push([at % 2 === 0 ? "GNU.sparse.offset" : "GNU.sparse.numbytes", String(value)]);
      });
    }
    const content = Buffer.from([...Object.entries(records), ...pairs].map(paxRecord).join(""));
    const pax = Buffer.concat([header({ name: "pax", type: "x" }, content.length), padded(content)]);
    const [file] = read(Buffer.concat([pax, archive([{ name: "n", content: data }])]));
    expect(file?.content.equals(whole)).toBe(true);
  });

  test("in format 1.0", () => {
    const map = padded(Buffer.from(`2\n${numbers.join("\n")}\n`)).toString("latin1");
    const pax = {
      "GNU.sparse.major": "1",
      "GNU.sparse.minor": "0",
      "GNU.sparse.name": "real",
      "GNU.sparse.realsize": "8195",
    };
    const { entry, content } = readOne({ name: "n", content: map + data, pax });
    expect(String(entry.name)).toBe("real");
    expect(content.equals(whole)).toBe(true);
  });

  test("in the old format, with a map that goes on in further blocks", () => {
    const segments = Array.from({ length: 30 }, (_, at) => [at * 1024, 1] as const);
    const put = (block: Buffer, at: number, [offset, length]: readonly [number, number]) => {
      block.write(`${offset.toString(8).padStart(11, "0")}\0`, at, "latin1");
      block.write(`${length.toString(8).padStart(11, "0")}\0`, at + 12, "latin1");
    };
    const patch = (block: Buffer) => {
      segments.slice(0, 4).forEach((segment, at) => {
        put(block, 386 + at * 24, segment);
      });
      block[482] = 1;
      block.write((30 * 1024).toString(8).padStart(11, "0"), 483);
    };
    const blocks = [segments.slice(4, 25), segments.slice(25)].map((part, index) => {
      const block = Buffer.alloc(512);
      part.forEach((segment, at) => {
        put(block, at * 24, segment);
      });
      block[504] = index === 0 ? 1 : 0;
      return block;
    });
    const head = header({ name: "n", type: "S", patch }, 30);
    const [file] = read(Buffer.concat([head, ...blocks, padded(Buffer.alloc(30, "z")), Buffer.alloc(1024)]));
    expect(file?.content.length).toBe(30 * 1024);
    expect([...(file?.content ?? [])].flatMap((byte, at) => (byte === 0 ? [] : [at]))).toEqual(
      segments.map(([at]) => at),
    );
  });
});

describe("what is malformed is refused", () => {
  const refused: readonly [string, () => Buffer, RegExp][] = [
    ["a wrong checksum", () => archive([{ name: "n" }]).fill("x", 0, 1), /checksum of a header is wrong/],
    [
      "a negative size",
      () => archive([{ name: "n", patch: (block) => block.fill(0xff, 124, 136) }]),
      /negative number/,
    ],
    [
      "a size that is no number",
      () => archive([{ name: "n", patch: (block) => block.write("12x", 124) }]),
      /no number/,
    ],
    [
      "a size beyond 2^53",
      () => archive([{ name: "n", patch: (block) => block.fill(0x7f, 125, 136).fill(0x80, 124, 125) }]),
      /no number/,
    ],
    ["an unknown type", () => archive([{ name: "n", type: "M" }]), /"n": entries of type "M" are not supported/],
    ["NUL in a name", () => archive([{ name: "n", pax: { path: "a\0b" } }]), /"a\\u0000b": a name contains a NUL byte/],
    ["NUL in a target", () => archive([{ name: "n", type: "2", pax: { linkpath: "a\0b" } }]), /NUL byte/],
    ["an owner beyond 32 bits", () => archive([{ name: "n", pax: { uid: "4294967295" } }]), /no user or group id/],
    [
      "an end within data",
      () => member({ name: "n", content: "abc" }).subarray(0, 513),
      /"n": it is truncated|it is truncated/,
    ],
    ["an end within a header", () => archive([{ name: "n" }]).subarray(0, 100), /truncated/],
    ["an end after an extension", () => paxHeader("x", { path: "p" }), /truncated/],
    ["zeros after an extension", () => Buffer.concat([gnuLongName("L", "p"), Buffer.alloc(1024)]), /extension header/],
    ["a huge extension", () => header({ name: "pax", type: "x" }, 2 << 20), /longer than 1 MiB/],
    ["a pax record of wrong length", () => paxBlock("99 path=x\n"), /pax header is malformed/],
    ["a pax record without value", () => paxBlock("8 path\n "), /pax header is malformed/],
    ["a time that is none", () => archive([{ name: "n", pax: { mtime: "1e5" } }]), /time that is no time/],
    [
      "a sparse map out of order",
      () => archive([{ name: "n", content: "ab", pax: { "GNU.sparse.map": "5,1,0,1", "GNU.sparse.size": "10" } }]),
      /out of order/,
    ],
    [
      "a sparse map beyond the data",
      () => archive([{ name: "n", content: "ab", pax: { "GNU.sparse.map": "0,1,5,3", "GNU.sparse.size": "10" } }]),
      /does not fit its data/,
    ],
    [
      "a sparse map without numbers",
      () =>
        archive([
          { name: "n", content: "x".repeat(2048), pax: { "GNU.sparse.major": "1", "GNU.sparse.realsize": "9" } },
        ]),
      /has no lines/,
    ],
  ];
  const paxBlock = (content: string) =>
    Buffer.concat([
      header({ name: "pax", type: "x" }, content.length),
      padded(Buffer.from(content)),
      archive([{ name: "n" }]),
    ]);

  test.each(refused)("%s", (_, bytes, message) => {
    expect(() => read(bytes())).toThrow(message);
    expect(() => read(bytes())).toThrow(BunkerError);
  });

  test("with names made harmless", () => {
    expect(() => readOne({ name: "\x1b[31mred\n", type: "M" })).toThrow('"\\u001b[31mred\\n": entries of type');
    expect(() => readOne({ name: "\xff\x9b", type: "M" })).toThrow('"\\xff\\x9b": entries of type');
    expect(() => readOne({ name: text("gr\u00fcn"), type: "M" })).toThrow('"gr\u00fcn": entries of type');
  });
});

describe("damaged archives", () => {
  const sound = Buffer.concat([
    gnuLongName("L", "long".repeat(40)),
    archive([
      { name: "x", content: "x".repeat(700) },
      { name: "n", content: "ab", pax: { "GNU.sparse.map": "0,1,5,1", "GNU.sparse.size": "10", path: "p" } },
      { name: "d/", type: "5" },
      { name: "s", type: "S", content: "", patch: (block) => block.fill(0, 386, 483).write("00000001000", 483) },
      { name: "l", type: "1", linkName: "n", pax: { mtime: "1.5", "SCHILY.xattr.user.x": "1" } },
    ]),
  ]);

  test("end in an error of ours or are read, and never report more than they have", () => {
    expect(read(sound)).toHaveLength(5);
    let state = 12345;
    const random = (limit: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    };
    let failures = 0;
    for (let round = 0; round < 5000; round++) {
      const damaged = Buffer.from(sound.subarray(0, random(4) === 0 ? random(sound.length) : sound.length));
      for (let change = random(4); change >= 0; change--) damaged[random(damaged.length)] = random(256);
      // Most damage would end at the checksum.
      for (let at = 0; at + 512 <= damaged.length; at += 512) {
        const block = damaged.subarray(at, at + 512);
        if (block.toString("latin1", 257, 262) === "ustar") writeChecksum(block);
      }
      let reported = 0;
      const reader = new TarReader({
        entry: () => {},
        data: (_, start, end) => {
          reported += end - start;
        },
        end: () => {},
      });
      try {
        for (let at = 0; at < damaged.length; ) {
          const next = at + 1 + random(1000);
          reader.feed(damaged.subarray(at, next));
          at = next;
        }
        reader.finish();
      } catch (error) {
        if (!(error instanceof BunkerError)) throw error;
        failures++;
      }
      expect(reported).toBeLessThanOrEqual(damaged.length);
    }
    expect(failures).toBeGreaterThan(100);
    expect(failures).toBeLessThan(5000);
  });
});
