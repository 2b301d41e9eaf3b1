/* What the stack takes of a container's frames, and how much of it it keeps, tried at the bounds themselves. */
import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { LOOPBACK_4 } from "../../../src/network/address.ts";
import { bindPort } from "../../../src/network/published-port.ts";
import { bind, listen, localEndpoint, openSocket } from "../../../src/sys/internet-socket.ts";
import { Event } from "../../../src/sys/reactor.ts";
import { SystemCall, systemCall } from "../../../src/sys/system-call.ts";
import { withDescriptorsBelow } from "../../descriptor-limit.ts";
import { eventually } from "../../unprivileged-user.ts";
import { arpRequest, ipv4, ipv6, readTcp, tcp, udpDatagram } from "./frames.ts";
import { CONFIGURATION, StackOnSocket } from "./stack-on-socket.ts";

const FIN = 1;
const SYN = 2;
const PSH = 8;
const ACK = 16;
/** The slot that the next frame is read into. */
const IDLE = { connections: 0, datagramFlows: 0, questions: 0, slots: 1 };
const MORE_FRAGMENTS = 0x2000;
/** Windows are shifted by 7 bits. */
const SCALING = Buffer.from("0204ffd701030307", "hex");

let container: StackOnSocket;

beforeEach(() => {
  container = new StackOnSocket();
});

afterEach(() => {
  container[Symbol.dispose]();
});

/** Lets the stack and Bun's own sockets work until a segment has come. */
async function segmentWith(flags: number) {
  const seen: ReturnType<typeof readTcp>[] = [];
  await eventually(
    () => {
      container.work();
      seen.push(...container.received().map(readTcp));
      return seen.some((segment) => (segment.flags & flags) === flags);
    },
    () => "a segment",
  );
  const found = seen.find((segment) => (segment.flags & flags) === flags);
  if (found === undefined) throw new Error("no segment");
  return found;
}

/** The segments that are there as soon as the stack has looked at what was sent. */
function segmentsNow() {
  container.work();
  return container.received().map(readTcp);
}

function server(open: (socket: Bun.Socket) => void) {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { open, data: () => {} } });
  return { port: listener.port, [Symbol.dispose]: () => listener.stop(true) };
}

describe("a length beyond the end is not believed:", () => {
  const datagram = Buffer.from(udpDatagram(1, 1, Buffer.alloc(4)));
  const unsummed = (length: number) => {
    const copy = Buffer.from(datagram);
    copy.writeUInt16BE(length, 4);
    copy.writeUInt16BE(0, 6);
    return ipv4(17, copy);
  };
  const gateway = Buffer.from("fd000000000000000000000000000002", "hex");

  test.each([
    ["a UDP datagram's", unsummed(13)],
    ["one that is less than the header", unsummed(7)],
    ["an IPv6 packet's", ipv6(17, datagram, { destination: gateway, checksumOffset: 6, excess: 64 })],
  ])("%s", (_name, frame) => {
    // Behind a longer frame, whose bytes are still in memory.
    container.exchange(ipv4(200, Buffer.alloc(1000, 1)));
    expect(container.exchange(frame)).toEqual([]);
    expect(container.usage).toEqual(IDLE);
  });

  test("while one up to the end is", () => {
    for (const frame of [unsummed(12), ipv6(17, datagram, { destination: gateway, checksumOffset: 6 })]) {
      container.send(frame);
      container.work();
      container.work();
      expect(container.received()).toHaveLength(1);
    }
  });
});

test("IPv4 addresses that are mapped into IPv6 are nobody's", () => {
  const segment = tcp({ destinationPort: 9, flags: SYN }).subarray(34);
  for (const address of ["7f000001", "0a000202", "0a000203", "c0000201"]) {
    const destination = Buffer.from(`00000000000000000000ffff${address}`, "hex");
    expect(container.exchange(ipv6(6, segment, { destination, checksumOffset: 16 }))).toEqual([]);
    expect(container.usage).toEqual(IDLE);
  }
});

describe("fragments", () => {
  test("that reach beyond the longest datagram are not kept", () => {
    for (const fragment of [0x1fff, MORE_FRAGMENTS | 0x1fff]) {
      expect(container.exchange(ipv4(17, Buffer.alloc(1480), { fragment }))).toEqual([]);
      expect(container.usage).toEqual(IDLE);
    }
  });

  test("that overlap invalidate what was there, and nothing else", () => {
    const datagram = udpDatagram(1, 1, Buffer.alloc(3000, 7));
    const first = ipv4(17, datagram.subarray(0, 1480), { fragment: MORE_FRAGMENTS });
    const rest = ipv4(17, datagram.subarray(1480), { fragment: 185 });
    const overlapping = ipv4(17, Buffer.alloc(8, 9), { fragment: MORE_FRAGMENTS | 1 });
    for (const frame of [first, overlapping]) expect(container.exchange(frame)).toEqual([]);
    expect(container.usage).toEqual(IDLE);
    for (const frame of [rest, first]) container.send(frame);
    container.work();
    container.work();
    // Nobody listens there.
    expect(container.received().map((frame) => frame.subarray(34, 36).toString("hex"))).toEqual(["0303"]);
  });
});

test("fragments that nothing is added to are given up after half a minute", () => {
  const now = performance.now.bind(performance);
  let ahead = 0;
  using _clock = spyOn(performance, "now").mockImplementation(() => now() + ahead);
  const first = (identification: number) => ipv4(17, Buffer.alloc(64), { fragment: MORE_FRAGMENTS, identification });
  expect(container.exchange(first(1))).toEqual([]);
  ahead = 20_000;
  expect(container.exchange(first(2))).toEqual([]);
  expect(container.usage).toEqual({ ...IDLE, slots: 3 });
  ahead = 31_000;
  // Whatever comes next.
  container.exchange(arpRequest("10.0.2.100", "10.0.2.2"));
  expect(container.usage).toEqual({ ...IDLE, slots: 2 });
});

test("of conversations the longest unused give way", () => {
  const MOST = 8_192;
  // To a port of the host's that takes them and says nothing.
  const socket = openSocket("udp", 4);
  bind(socket, LOOPBACK_4, 0);
  const { port } = localEndpoint(socket) ?? { port: 0 };
  const say = (from: number) => container.send(ipv4(17, udpDatagram(from, port, Buffer.alloc(1))));
  const last = 1_000 + MOST;
  for (let from = 1_000; from <= last; from++) {
    say(from);
    if (from % 64 === 0) container.work();
    // The first one is in use, and stays.
    if (from % 1_000 === 0) say(1_000);
  }
  container.work();
  container.work();
  expect(container.usage.datagramFlows).toBe(MOST - MOST / 8 + 1);
  const kept = new Set(container.stack.flows().map(({ inside }) => inside.port));
  expect([1_000, 1_001, 1_500, last - 1, last].filter((from) => kept.has(from))).toEqual([1_000, last - 1, last]);
  systemCall(SystemCall.close, socket);
});

test("a container that answers no SYN is asked eight times, and its client reset", async () => {
  const now = performance.now.bind(performance);
  let ahead = 0;
  using _clock = spyOn(performance, "now").mockImplementation(() => now() + ahead);
  const port = bindPort("tcp", { address: LOOPBACK_4, port: 0 });
  container.stack.publish(port, { address: CONFIGURATION.ipv4.address, port: 80 });
  const end = Promise.withResolvers<string>();
  const client = connect(port.host.port, "127.0.0.1");
  client.on("error", (error: NodeJS.ErrnoException) => end.resolve(error.code ?? ""));
  const flags: number[] = [];
  for (let count = 1; count <= 8; count++) {
    await eventually(
      () => {
        container.work();
        flags.push(...container.received().map((frame) => readTcp(frame).flags));
        return flags.length >= count;
      },
      () => `SYN number ${count}`,
    );
    // The longest that is ever waited.
    ahead += 13_000;
  }
  await eventually(
    () => {
      container.work();
      return container.usage.connections === 0;
    },
    () => "the end of the connection",
  );
  expect(flags).toEqual(Array(8).fill(SYN));
  expect(await end.promise).toBe("ECONNRESET");
});

test("a published port leaves its clients waiting while there are no descriptors, and does not look for them", async () => {
  const port = bindPort("tcp", { address: LOOPBACK_4, port: 0 });
  container.stack.publish(port, { address: CONFIGURATION.ipv4.address, port: 80 });
  const isWaitedFor = () => waitedFor(port.socket.number) & Event.IN;
  const client = connect(port.host.port, "127.0.0.1");
  await once(client, "connect");
  expect(isWaitedFor()).toBe(Event.IN);
  withDescriptorsBelow(3, () => {
    container.work();
    container.work();
  });
  expect(isWaitedFor()).toBe(0);
  await eventually(
    () => {
      container.work();
      return container.usage.connections === 1;
    },
    () => "the client's connection",
  );
  expect(isWaitedFor()).toBe(Event.IN);
  client.destroy();
});

/** The events that are waited for of a descriptor; proc_pid_fdinfo(5). */
function waitedFor(descriptor: number): number {
  for (const number of readdirSync("/proc/self/fdinfo")) {
    if (!existsSync(`/proc/self/fdinfo/${number}`)) continue;
    const line = new RegExp(`^tfd: +${descriptor} events: +([0-9a-f]+)`, "m");
    const [, events] = line.exec(readFileSync(`/proc/self/fdinfo/${number}`, "utf8")) ?? [];
    if (events !== undefined) return Number.parseInt(events, 16);
  }
  throw new Error(`nobody waits for descriptor ${descriptor}`);
}

describe("of connections", () => {
  test("the oldest that are half open give way", () => {
    const socket = openSocket("tcp", 4);
    try {
      // A server that accepts nobody: the connections behind the first ones wait for it.
      expect(bind(socket, LOOPBACK_4, 0)).toBe(0);
      expect(listen(socket, 0)).toBe(0);
      const destinationPort = localEndpoint(socket)?.port ?? 0;
      for (let count = 0; count < 4_500; count++) {
        container.send(tcp({ sourcePort: 2_000 + count, destinationPort, flags: SYN }));
        if (count % 64 === 0) container.work();
      }
      container.work();
      expect(container.usage.connections).toBeGreaterThan(4_000);
      expect(container.usage.connections).toBeLessThanOrEqual(4_096 + 8);
    } finally {
      systemCall(SystemCall.close, socket);
    }
  });

  test("the oldest that only wait for their end give way", async () => {
    using host = server((socket) => {
      socket.end();
    });
    for (let round = 0; round < 40; round++) {
      const opened = Array.from({ length: 32 }, (_, index) => 2_000 + 32 * round + index);
      for (const sourcePort of opened) {
        container.send(tcp({ sourcePort, destinationPort: host.port, flags: SYN }));
      }
      const ended = new Set<number>();
      await eventually(
        () => {
          container.work();
          for (const { destinationPort: sourcePort, flags, sequence, payload } of container.received().map(readTcp)) {
            const acknowledgement = (sequence + payload.length + 1) >>> 0;
            const answer = { sourcePort, destinationPort: host.port, acknowledgement, sequence: 1001 };
            if ((flags & FIN) !== 0) ended.add(sourcePort);
            if ((flags & (SYN | FIN)) !== 0) container.send(tcp({ ...answer, flags: ACK | (flags & FIN) }));
          }
          return ended.size === opened.length;
        },
        () => `the end of ${opened.length} connections, of which ${ended.size} have come`,
      );
    }
    // Beside those whose sockets have not been told yet that the container has ended.
    expect(container.usage.connections).toBeLessThanOrEqual(1_024 + 32);
  });
});

/** A connection with large windows, whose segments the test makes. */
async function establish(port: number) {
  const ends = { destinationPort: port, window: 0x2000 };
  container.send(tcp({ ...ends, flags: SYN, sequence: 1000, options: SCALING }));
  const { sequence } = await segmentWith(SYN | ACK);
  const acknowledgement = (sequence + 1) >>> 0;
  const send = (segment: Partial<Parameters<typeof tcp>[0]>) =>
    container.send(tcp({ ...ends, sequence: 1001, acknowledgement, flags: ACK, ...segment }));
  send({});
  return { send, acknowledgement };
}

describe("of a connection", () => {
  test("only so much is kept that came too early", async () => {
    using host = server(() => {});
    const { send } = await establish(host.port);
    for (let count = 0; count < 500; count++) {
      send({ sequence: 1101 + 2 * count, payload: Buffer.from("x"), flags: ACK | PSH });
      if (count % 64 === 0) container.work();
    }
    container.work();
    container.received();
    expect(container.usage.slots).toBeLessThanOrEqual(64 + 1);
    expect(container.usage.slots).toBeGreaterThan(32);
  });

  test("what was lost is sent again at once, one segment for each that is told to be missing", async () => {
    let accepted: Bun.Socket | undefined;
    using host = server((socket) => {
      accepted = socket;
    });
    const { send, acknowledgement } = await establish(host.port);
    const sent = new Map<number, number>();
    await eventually(
      () => {
        for (const { sequence, payload } of segmentsNow()) if (payload.length > 0) sent.set(sequence, payload.length);
        // Each is a segment of its own.
        if (accepted !== undefined && sent.size < 4) accepted.write(`part ${sent.size}`);
        return sent.size >= 4;
      },
      () => "four segments",
    );
    const [first, second, third] = [...sent.keys()].toSorted((one, other) => one - other);
    expect(first).toBe(acknowledgement);
    const repeated = () =>
      segmentsNow()
        .filter(({ payload }) => payload.length > 0)
        .map(({ sequence }) => sequence);
    repeated();
    for (let count = 0; count < 4; count++) send({});
    expect(repeated()).toContain(first ?? 0);
    send({ acknowledgement: second ?? 0 });
    expect(repeated()).toContain(second ?? 0);
    send({ acknowledgement: third ?? 0 });
    expect(repeated()).toContain(third ?? 0);
  });
});
