import { describe, expect, test } from "bun:test";
import { formatAddress, parseAddress } from "../../../../src/network/address.ts";
import { answerLocally } from "../../../../src/network/dns/local-answer.ts";
import type { LocalNames } from "../../../../src/network/dns/local-names.ts";
import type { Address } from "../../../../src/sys/internet-socket.ts";

const START = 64;

function address(text: string): Address {
  return parseAddress(text) ?? [0, 0, 0, 0];
}

const KNOWN: Readonly<Record<string, readonly string[]>> = {
  db: ["10.89.0.2", "fd00::2"],
  many: Array.from({ length: 40 }, (_, index) => `10.89.1.${index + 1}`),
};

function names(asksOutside = true): LocalNames {
  return {
    addressesOf: (name) => KNOWN[name]?.map(address),
    nameOf: (asked) => (["10.89.0.2", "fd00::2"].includes(formatAddress(asked)) ? "db.net" : undefined),
    isLocal: (asked) => formatAddress(asked).startsWith("10.89.0."),
    asksOutside: () => asksOutside,
  };
}

/** The bytes of a question, with what may be wrong with it. */
function question(
  name: string,
  type: number,
  more: { flags?: number; count?: number; extra?: Uint8Array } = {},
): Buffer {
  const labels = name.split(".").filter((label) => label !== "");
  const body = labels.flatMap((label) => [label.length, ...Buffer.from(label, "latin1")]);
  const header = Buffer.alloc(12);
  header.writeUInt16BE(0x1234, 0);
  header.writeUInt16BE(more.flags ?? 0x0100, 2);
  header.writeUInt16BE(more.count ?? 1, 4);
  header.writeUInt16BE(more.extra === undefined ? 0 : 1, 10);
  return Buffer.concat([header, Buffer.from([...body, 0, 0, type, 0, 1]), more.extra ?? Buffer.alloc(0)]);
}

/** The record that says what the asker takes. */
function extension(size: number, version = 0): Buffer {
  return Buffer.from([0, 0, 41, size >> 8, size & 0xff, 0, version, 0, 0, 0, 0]);
}

/** What is answered: the code and the records' data, or undefined when others have to. */
function ask(bytes: Buffer, known = names(), transport: "datagram" | "stream" = "datagram") {
  const memory = new ArrayBuffer(80_000);
  Buffer.from(memory).set(bytes, START);
  const length = answerLocally(new DataView(memory), START, bytes.length, known, transport);
  if (length === undefined) return undefined;
  const answer = Buffer.from(memory, START, length);
  const count = answer.readUInt16BE(6);
  expect(answer.readUInt16BE(0)).toBe(0x1234);
  expect(answer.readUInt16BE(2) & 0x8080).toBe(0x8080);
  expect(answer.readUInt16BE(8)).toBe(0);
  let offset = 12;
  while (answer[offset] !== 0) offset += 1 + (answer[offset] ?? 0);
  offset += 5;
  const records = Array.from({ length: count }, () => {
    expect(answer.readUInt16BE(offset)).toBe(0xc00c);
    const size = answer.readUInt16BE(offset + 10);
    const data = answer.subarray(offset + 12, offset + 12 + size);
    offset += 12 + size;
    return data.toString("hex");
  });
  const extensions = answer.readUInt16BE(10);
  if (extensions > 0) expect(answer.subarray(offset, offset + 5)).toEqual(Buffer.from([0, 0, 41, 16, 0]));
  expect(offset + 11 * extensions).toBe(length);
  const isTruncated = ((answer[2] ?? 0) & 2) !== 0;
  const code = ((answer[3] ?? 0) & 0xf) + (extensions === 0 ? 0 : (answer[offset + 5] ?? 0) << 4);
  return { code, records, ...(isTruncated ? { isTruncated } : {}) };
}

const [A, NS, PTR, TXT, AAAA] = [1, 2, 12, 16, 28];

describe("a question is answered", () => {
  test.each([
    ["db", A, { code: 0, records: ["0a590002"] }],
    ["DB", A, { code: 0, records: ["0a590002"] }],
    ["db", AAAA, { code: 0, records: ["fd000000000000000000000000000002"] }],
    // What others would only deny.
    ["db", TXT, { code: 0, records: [] }],
    ["many", AAAA, { code: 0, records: [] }],
    ["2.0.89.10.in-addr.arpa", PTR, { code: 0, records: [Buffer.from("\x02db\x03net\0").toString("hex")] }],
    [
      `2.${"0.".repeat(27)}0.0.d.f.ip6.arpa`,
      PTR,
      { code: 0, records: [Buffer.from("\x02db\x03net\0").toString("hex")] },
    ],
    ["9.0.89.10.in-addr.arpa", PTR, { code: 3, records: [] }],
    ["example.org", A, undefined],
    ["1.1.1.1.in-addr.arpa", PTR, undefined],
    ["300.1.1.1.in-addr.arpa", PTR, undefined],
    ["", NS, undefined],
  ])("%s, type %d", (name, type, expected) => {
    expect(ask(question(name, type))).toEqual(expected);
  });

  test("without asking outside where nothing is to be asked there", () => {
    expect(ask(question("example.org", A), names(false))).toEqual({ code: 3, records: [] });
    expect(ask(question("db", A), names(false))).toEqual({ code: 0, records: ["0a590002"] });
  });

  test("in few enough bytes for who asks, beginning with any of the addresses, and says that there are more", () => {
    const first = new Set<string | undefined>();
    for (let count = 0; count < 200; count++) {
      const answer = ask(question("many", A));
      expect(answer).toMatchObject({ records: { length: 30 }, isTruncated: true });
      first.add(answer?.records[0]);
    }
    expect(first.size).toBeGreaterThan(10);
    for (const [size, length] of [
      [0, 29],
      [512, 29],
      [600, 35],
    ] as const) {
      const answer = ask(question("many", A, { extra: extension(size) }));
      expect(answer).toMatchObject({ records: { length }, isTruncated: true });
    }
    for (const answer of [
      ask(question("many", A, { extra: extension(1232) })),
      ask(question("many", A, { extra: extension(65_535) })),
      ask(question("many", A), names(), "stream"),
    ]) {
      expect(new Set(answer?.records).size).toBe(40);
      expect(answer).not.toHaveProperty("isTruncated");
    }
  });

  test("also when it brings more than the question", () => {
    const answer = { code: 0, records: ["0a590002"] };
    expect(ask(question("db", A, { extra: extension(4096) }))).toEqual(answer);
    // A record of another kind, and one that does not end.
    expect(ask(question("db", A, { extra: Buffer.from([0, 0, 16, 0, 1, 0, 0, 0, 0, 0, 0]) }))).toEqual(answer);
    expect(ask(question("db", A, { extra: extension(4096).subarray(0, 9) }))).toEqual(answer);
    // Of extensions there is one version.
    expect(ask(question("db", A, { extra: extension(4096, 1) }))).toEqual({ code: 16, records: [] });
    expect(ask(question("db", A, { extra: extension(4096) }), names(false))).toEqual(answer);
    expect(ask(question("no", A, { extra: extension(4096) }), names(false))).toEqual({ code: 3, records: [] });
  });
});

describe("what is no ordinary question is left to others:", () => {
  test.each([
    ["an answer", question("db", A, { flags: 0x8100 })],
    ["another operation", question("db", A, { flags: 0x2100 })],
    ["two questions", question("db", A, { count: 2 })],
    ["a name that does not end", question("db", A).subarray(0, 14)],
    ["a name without a type", question("db", A).subarray(0, 17)],
    ["a pointer as name", Buffer.concat([question("", A).subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])])],
    ["another class", Buffer.concat([question("db", A).subarray(0, -1), Buffer.from([3])])],
    ["a name without end", Buffer.concat([question("", A).subarray(0, 12), Buffer.alloc(2000, 1)])],
  ])("%s", (_what, bytes) => {
    expect(ask(bytes)).toBeUndefined();
  });

  test("whatever random bytes follow the header, nothing is read or written beside it", () => {
    for (let round = 0; round < 2_000; round++) {
      const bytes = Buffer.concat([question("", A).subarray(0, 12), crypto.getRandomValues(Buffer.alloc(round % 300))]);
      ask(bytes, names(round % 2 === 0));
    }
  });
});
