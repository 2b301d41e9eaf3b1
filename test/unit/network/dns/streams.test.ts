/* Questions over TCP: the test has the client's end, and real resolvers listen on the loopback. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { LOOPBACK_4 } from "../../../../src/network/address.ts";
import type { LocalNames } from "../../../../src/network/dns/local-names.ts";
import type { Resolver } from "../../../../src/network/dns/resolvers.ts";
import { DnsStreams } from "../../../../src/network/dns/streams.ts";
import { Egress } from "../../../../src/network/egress.ts";
import { FramePool } from "../../../../src/network/frame-pool.ts";
import { endSending, receive, send } from "../../../../src/sys/internet-socket.ts";
import { allocate } from "../../../../src/sys/memory.ts";
import { Reactor } from "../../../../src/sys/reactor.ts";
import { SystemCall, systemCall } from "../../../../src/sys/system-call.ts";
import { eventually } from "../../../unprivileged-user.ts";

const memory = allocate(70_000);
const names: LocalNames = {
  addressesOf: (name) =>
    name === "db" ? Array.from({ length: 2_000 }, (_, index) => [0, 0, 0xffff, index] as const) : undefined,
  nameOf: () => undefined,
  isLocal: () => false,
  asksOutside: (name) => name !== "forbidden",
};

let cleanup: DisposableStack;
let reactor: Reactor;
let pool: FramePool;
let resolvers: Resolver[];
let failed: Resolver[];

beforeEach(() => {
  cleanup = new DisposableStack();
  reactor = cleanup.use(new Reactor());
  pool = cleanup.use(new FramePool(32 << 20));
  resolvers = [];
  failed = [];
});

afterEach(() => {
  cleanup.dispose();
});

function makeStreams(egress = new Egress(undefined)): DnsStreams {
  const known = { current: () => resolvers, failed: (resolver: Resolver) => failed.push(resolver) };
  return cleanup.use(new DnsStreams({ reactor, pool, resolvers: known, names, egress }));
}

/** A message with its length before it. */
function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

function question(id: number, name: string): Buffer {
  const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label, "latin1")]);
  const header = Buffer.from([id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([header, Buffer.from([...labels, 0, 0, 1, 0, 1])]);
}

/** An answer without records: the question, with a code. */
function answerTo(asked: Buffer, code: number): Buffer {
  const answer = Buffer.from(asked);
  answer[2] = 0x81;
  answer[3] = 0x80 | code;
  return answer;
}

/** A resolver that does something with each question. */
function resolver(answer: (asked: Buffer, socket: Bun.Socket<{ rest: Buffer }>) => void): Resolver {
  const listener = Bun.listen<{ rest: Buffer }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        socket.data = { rest: Buffer.alloc(0) };
      },
      data: (socket, data) => {
        let rest = Buffer.concat([socket.data.rest, data]);
        while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
          const size = 2 + rest.readUInt16BE(0);
          answer(Buffer.from(rest.subarray(2, size)), socket);
          rest = rest.subarray(size);
        }
        socket.data.rest = rest;
      },
    },
  });
  cleanup.defer(() => listener.stop(true));
  return { address: LOOPBACK_4, port: listener.port, scope: 0 };
}

/** A client, whose received bytes are read as messages. */
class Client {
  readonly socket: number;
  #bytes: Buffer = Buffer.alloc(0);
  hasEnded = false;

  constructor(streams: DnsStreams) {
    this.socket = streams.open();
    expect(this.socket).toBeGreaterThan(0);
    cleanup.defer(() => systemCall(SystemCall.close, this.socket));
  }

  write(bytes: Buffer): void {
    memory.buffer.set(bytes);
    expect(send(this.socket, memory.address, bytes.length)).toBe(bytes.length);
  }

  /** Lets everybody work, and takes what has come. */
  #work(): void {
    reactor.defer(() => reactor.stop());
    reactor.run();
    const length = receive(this.socket, memory.address, 70_000);
    if (length === 0) this.hasEnded = true;
    else if (length > 0) this.#bytes = Buffer.concat([this.#bytes, memory.buffer.subarray(0, length)]);
  }

  async next(): Promise<Buffer> {
    const size = () => (this.#bytes.length < 2 ? 2 : 2 + this.#bytes.readUInt16BE(0));
    await eventually(
      () => {
        this.#work();
        return this.hasEnded || (this.#bytes.length > 2 && this.#bytes.length >= size());
      },
      () => "an answer",
    );
    expect(this.hasEnded).toBe(false);
    const message = this.#bytes.subarray(2, size());
    this.#bytes = this.#bytes.subarray(size());
    return message;
  }

  async end(): Promise<void> {
    await eventually(
      () => {
        this.#work();
        return this.hasEnded;
      },
      () => "the end of the connection",
    );
    expect(this.#bytes).toHaveLength(0);
  }
}

describe("local names", () => {
  test("are answered whole, in order, however the questions come", async () => {
    const client = new Client(makeStreams());
    const bytes = Buffer.concat([1, 2, 3].map((id) => framed(question(id, "db"))));
    client.write(bytes.subarray(0, 1));
    reactor.defer(() => reactor.stop());
    reactor.run();
    for (let offset = 1; offset < bytes.length; offset += 11) client.write(bytes.subarray(offset, offset + 11));
    for (const id of [1, 2, 3]) {
      const answer = await client.next();
      expect([answer.readUInt16BE(0), answer.readUInt16BE(6), answer.length]).toEqual([id, 2000, 20 + 16 * 2000]);
      expect((answer[2] ?? 0) & 2).toBe(0);
    }
    expect(pool.used).toBe(0);
  });

  test("that there are not are said not to be, where nobody else is to be asked", async () => {
    const client = new Client(makeStreams());
    client.write(framed(question(1, "forbidden")));
    expect((await client.next())[3]).toBe(0x83);
  });
});

describe("other names", () => {
  test("are asked for on one connection, also after the client has said that it asks no more", async () => {
    const connections = new Set<unknown>();
    resolvers = [
      resolver((asked, socket) => {
        connections.add(socket);
        // In pieces, and with one more message than was asked for.
        const all = Buffer.concat([framed(answerTo(asked, 3)), framed(answerTo(asked, 0))]);
        for (let offset = 0; offset < all.length; offset += 5) socket.write(all.subarray(offset, offset + 5));
      }),
    ];
    const client = new Client(makeStreams());
    for (const id of [5, 6]) {
      const asked = question(id, "example.org");
      client.write(framed(asked));
      expect(await client.next()).toEqual(answerTo(asked, 3));
      expect(await client.next()).toEqual(answerTo(asked, 0));
    }
    client.write(framed(question(7, "example.org")));
    endSending(client.socket);
    expect(await client.next()).toEqual(answerTo(question(7, "example.org"), 3));
    expect(connections.size).toBe(1);
    expect(failed).toEqual([]);
  });

  test("are asked of the next resolver when one cannot be reached, ends or says that it cannot tell", async () => {
    const refusing = resolver(() => {});
    const ending = resolver((_asked, socket) => socket.end());
    const failing = resolver((asked, socket) => socket.write(framed(answerTo(asked, 2))));
    const knowing = resolver((asked, socket) => socket.write(framed(answerTo(asked, 0))));
    resolvers = [{ ...refusing, port: 1 }, ending, failing, knowing];
    const client = new Client(makeStreams());
    client.write(framed(question(1, "example.org")));
    expect(await client.next()).toEqual(answerTo(question(1, "example.org"), 0));
    expect(failed).toEqual(resolvers.slice(0, 3));
    resolvers = [{ ...refusing, port: 1 }, ending];
    const other = new Client(makeStreams());
    other.write(framed(question(2, "example.org")));
    expect(await other.next()).toEqual(answerTo(question(2, "example.org"), 2));
    expect(pool.used).toBe(0);
  });

  test("are asked again when a resolver has ended a connection that it had answered on", async () => {
    resolvers = [
      resolver((asked, socket) => {
        socket.write(framed(answerTo(asked, 0)));
        socket.end();
      }),
    ];
    const client = new Client(makeStreams());
    for (const id of [1, 2, 3]) {
      client.write(framed(question(id, "example.org")));
      expect(await client.next()).toEqual(answerTo(question(id, "example.org"), 0));
    }
    expect(failed).toEqual([]);
  });

  test("are only asked for when they are permitted", async () => {
    resolvers = [resolver((asked, socket) => socket.write(framed(answerTo(asked, 0))))];
    const streams = makeStreams(new Egress({ names: ["example.org"], networks: [] }));
    const client = new Client(streams);
    client.write(framed(question(1, "example.org")));
    expect(await client.next()).toEqual(answerTo(question(1, "example.org"), 0));
    client.write(framed(question(2, "example.com")));
    await client.end();
  });
});

test("what is no question ends the connection, and nothing of it is kept", async () => {
  const streams = makeStreams();
  for (const bytes of [Buffer.alloc(2), framed(Buffer.alloc(11)), framed(answerTo(question(1, "db"), 0))]) {
    const client = new Client(streams);
    client.write(bytes);
    await client.end();
  }
  // In the middle of a question.
  const client = new Client(streams);
  client.write(framed(question(1, "db")).subarray(0, 9));
  endSending(client.socket);
  await client.end();
  expect(pool.used).toBe(0);
});

test("the oldest connection ends when there are too many", async () => {
  const streams = makeStreams();
  const clients = Array.from({ length: 70 }, () => new Client(streams));
  for (const client of clients.slice(0, 6)) await client.end();
  const last = clients.at(-1);
  last?.write(framed(question(1, "db")));
  expect((await last?.next())?.readUInt16BE(6)).toBe(2000);
});
