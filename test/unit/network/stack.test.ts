import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { eventually } from "../../unprivileged-user.ts";
import { arpRequest, internetChecksum, ipv4, ipv6, readTcp, type TcpOptions, tcp, udpDatagram } from "./frames.ts";
import { StackOnSocket } from "./stack-on-socket.ts";

const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;
/** The slot that the next frame is read into. */
const IDLE = { connections: 0, datagramFlows: 0, questions: 0, slots: 1 };

let container: StackOnSocket;

beforeEach(() => {
  container = new StackOnSocket();
});

afterEach(() => {
  container[Symbol.dispose]();
});

/** Lets the stack and Bun's own sockets work until something has come. */
async function until<Value>(look: () => Value | undefined): Promise<Value> {
  let value: Value | undefined;
  await eventually(
    () => {
      container.work();
      value = look();
      return value !== undefined;
    },
    () => "something to come",
  );
  if (value === undefined) throw new Error("nothing has come");
  return value;
}

async function nextSegment(flags: number): Promise<ReturnType<typeof readTcp>> {
  return until(() =>
    container
      .received()
      .map(readTcp)
      .find((segment) => (segment.flags & flags) === flags),
  );
}

/** A server on the loopback that keeps what it gets. */
function server() {
  const received: Buffer[] = [];
  const sockets: Bun.Socket[] = [];
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      open: (socket) => {
        sockets.push(socket);
      },
      data: (_socket, data) => {
        received.push(Buffer.from(data));
      },
    },
  });
  return { port: listener.port, received, sockets, [Symbol.dispose]: () => listener.stop(true) };
}

/** A connection of the container's, whose segments the test makes. */
async function open(port: number, options: Partial<TcpOptions> = {}) {
  container.send(tcp({ destinationPort: port, flags: SYN, sequence: 1000, ...options }));
  const answer = await nextSegment(SYN | ACK);
  expect(answer.acknowledgement).toBe(1001);
  let sequence = 1001;
  const acknowledgement = (answer.sequence + 1) >>> 0;
  const send = (segment: Partial<TcpOptions>) => {
    container.send(tcp({ destinationPort: port, sequence, acknowledgement, flags: ACK, ...options, ...segment }));
  };
  send({});
  return {
    send,
    acknowledgement,
    /** Sends data in order. */
    write: (payload: Uint8Array) => {
      send({ payload, flags: ACK | PSH });
      sequence += payload.length;
    },
    sequence: () => sequence,
  };
}

test("ARP is answered for everybody but the container itself", () => {
  const [reply] = container.exchange(arpRequest("10.0.2.100", "10.0.2.2"));
  expect(reply?.subarray(20, 32).toString("hex")).toBe("000252550a0002020a000202");
  expect(container.exchange(arpRequest("10.0.2.100", "10.0.2.77"))).toHaveLength(1);
  expect(container.exchange(arpRequest("10.0.2.100", "10.0.2.100"))).toEqual([]);
  expect(container.exchange(arpRequest("0.0.0.0", "10.0.2.100"))).toEqual([]);
  expect(container.exchange(arpRequest("0.0.0.0", "10.0.2.2"))).toHaveLength(1);
});

describe("frames that are none of the stack's business get no answer", () => {
  const syn = tcp({ destinationPort: 9, flags: SYN });
  const gateway = Buffer.from("fd000000000000000000000000000002", "hex");
  const echo = ipv4(1, Buffer.from("0800f7fd00010001", "hex"));
  const echo6 = ipv6(58, Buffer.from("8000000000010001", "hex"), { destination: gateway, checksumOffset: 2 });

  test("while right ones get one", () => {
    for (const frame of [syn, echo, echo6]) expect(container.exchange(frame)).toHaveLength(1);
  });

  test.each([
    ["too short", syn.subarray(0, 13)],
    ["an IP header cut off", syn.subarray(0, 30)],
    ["a TCP header cut off", ipv4(6, Buffer.alloc(19))],
    ["for another station", Buffer.concat([Buffer.from("020000000009", "hex"), syn.subarray(6)])],
    ["from a group", Buffer.concat([syn.subarray(0, 6), Buffer.from("01005e000001", "hex"), syn.subarray(12)])],
    ["a wrong header checksum", mutated(syn, 24, 0xff)],
    ["a wrong TCP checksum", mutated(syn, 50, 0xff)],
    ["a wrong UDP checksum", ipv4(17, mutated(udpDatagram(1, 9, Buffer.alloc(4)), 6, 0xff))],
    ["a wrong checksum of an echo", mutated(echo, 36, 0xff)],
    ["a wrong checksum of an echo, IPv6", mutated(echo6, 56, 0xff)],
    ["a data offset beyond the end", ipv4(6, mutated(Buffer.alloc(20), 12, 0xf0))],
    ["to the loopback", tcp({ destinationPort: 9, flags: SYN, destination: "127.0.0.1" })],
    ["to nowhere", tcp({ destinationPort: 9, flags: SYN, destination: "0.0.0.0" })],
    ["to a group", tcp({ destinationPort: 9, flags: SYN, destination: "224.0.0.1" })],
    ["from nowhere", tcp({ destinationPort: 9, flags: SYN, source: "0.0.0.0" })],
    ["a reset of no connection", tcp({ destinationPort: 9, flags: RST })],
    ["a UDP length beyond the end", ipv4(17, mutated(udpDatagram(1, 9, Buffer.alloc(4)), 5, 0x10))],
    ["a UDP length below the least", ipv4(17, mutated(udpDatagram(1, 9, Buffer.alloc(4)), 5, 0x0f))],
  ])("%s", (_name, frame) => {
    expect(container.exchange(frame)).toEqual([]);
    expect(container.usage).toEqual(IDLE);
  });
});

function mutated(bytes: Buffer, offset: number, mask: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[offset] = (copy[offset] ?? 0) ^ mask;
  return copy;
}

test("a segment of no connection is reset as RFC 9293 says", () => {
  const [answer] = container.exchange(tcp({ destinationPort: 9, flags: ACK, sequence: 5, acknowledgement: 77 }));
  expect(readTcp(answer ?? Buffer.alloc(60))).toMatchObject({ flags: RST, sequence: 77 });
  const [other] = container.exchange(tcp({ destinationPort: 9, flags: FIN, sequence: 5, payload: Buffer.from("abc") }));
  expect(readTcp(other ?? Buffer.alloc(60))).toMatchObject({ flags: RST | ACK, acknowledgement: 9 });
});

test("an unknown protocol is told so", () => {
  const [answer] = container.exchange(ipv4(200, Buffer.alloc(8)));
  expect(answer?.subarray(34, 36).toString("hex")).toBe("0302");
  expect(internetChecksum(answer?.subarray(34) ?? Buffer.alloc(1))).toBe(0);
});

/** The same, when the stack knows that the container has its answer. */
async function establish(port: number) {
  const connection = await open(port);
  container.work();
  container.received();
  return connection;
}

describe("a connection", () => {
  test("takes what comes twice, overlaps or is out of order only once and in order", async () => {
    using host = server();
    const { send, sequence } = await open(host.port);
    const text = Buffer.from("the quick brown fox jumps over the lazy dog");
    const part = (from: number, to: number) =>
      send({ sequence: sequence() + from, payload: text.subarray(from, to), flags: ACK | PSH });
    for (const [from, to] of [
      [10, 20],
      [0, 8],
      [0, 8],
      [4, 12],
      [30, 43],
      [12, 30],
      [0, 30],
      [25, 43],
    ] as const) {
      part(from, to);
    }
    const got = await until(() =>
      Buffer.concat(host.received).length >= text.length ? Buffer.concat(host.received) : undefined,
    );
    expect(got.toString()).toBe(text.toString());
    const end = sequence() + text.length;
    await until(() =>
      container
        .received()
        .map(readTcp)
        .find(({ acknowledgement }) => acknowledgement === end),
    );
  });

  test("tells at once what is missing", async () => {
    using host = server();
    const { send, sequence } = await open(host.port);
    container.work();
    container.received();
    send({ sequence: sequence() + 100, payload: Buffer.from("later") });
    const answer = await nextSegment(ACK);
    expect(answer.acknowledgement).toBe(sequence());
  });

  test("lets the acknowledgement of a question wait for the answer, but not for long", async () => {
    using host = server();
    const { write, send, sequence, acknowledgement } = await establish(host.port);
    write(Buffer.from("question"));
    container.work();
    expect(container.received()).toEqual([]);
    const socket = await until(() => host.sockets[0]);
    socket.write("answer");
    expect(await nextSegment(PSH)).toMatchObject({ acknowledgement: sequence() });
    send({ acknowledgement: acknowledgement + "answer".length });
    container.work();
    container.received();
    write(Buffer.from("another question"));
    container.work();
    expect(container.received()).toEqual([]);
    expect(await nextSegment(ACK)).toMatchObject({ acknowledgement: sequence(), payload: Buffer.alloc(0) });
  });

  test("acknowledges at once where a program waits for that before it goes on", async () => {
    using host = server();
    const { write, sequence } = await establish(host.port);
    write(Buffer.from("the first half"));
    await nextSegment(ACK);
    for (const half of ["the second half", "another question"]) {
      write(Buffer.from(half));
      container.work();
      expect(container.received().map(readTcp)).toMatchObject([{ acknowledgement: sequence() }]);
    }
  });

  test("acknowledges the container's FIN by its own where the host ends the connection too", async () => {
    using host = server();
    const { send, sequence } = await establish(host.port);
    const socket = await until(() => host.sockets[0]);
    send({ flags: ACK | FIN });
    container.work();
    expect(container.received()).toEqual([]);
    socket.end();
    expect(await nextSegment(FIN)).toMatchObject({ acknowledgement: sequence() + 1 });
  });

  test("sends again what is not acknowledged, after three duplicates at once", async () => {
    using host = server();
    const { send } = await open(host.port);
    const socket = await until(() => host.sockets[0]);
    socket.write("data for the container");
    const first = await nextSegment(PSH);
    for (let count = 0; count < 4; count++) send({});
    const again = await nextSegment(PSH);
    expect(again).toMatchObject({ sequence: first.sequence, payload: first.payload });
    // And after a time without any.
    expect(await nextSegment(PSH)).toMatchObject({ sequence: first.sequence, payload: first.payload });
  });

  test("tells the kernel where a segment's payload begins, so that it need not be moved", async () => {
    using host = server();
    await open(host.port);
    const socket = await until(() => host.sockets[0]);
    socket.write("data");
    const frame = await until(() => container.receivedFromDevice().find((each) => each.length > 64));
    expect(frame.readUInt16LE(2)).toBe(54);
  });

  test("does not send more than the window, and looks after it when it is closed", async () => {
    using host = server();
    const { send, acknowledgement } = await open(host.port, { window: 10 });
    const socket = await until(() => host.sockets[0]);
    socket.write("0123456789abcdefghij");
    const first = await nextSegment(PSH);
    expect(first.payload.toString()).toBe("0123456789");
    send({ acknowledgement: acknowledgement + 10, window: 0 });
    // A probe: an acknowledgement of what was acknowledged already.
    const probe = await until(() =>
      container
        .received()
        .map(readTcp)
        .find(({ sequence }) => sequence === (acknowledgement + 9) >>> 0),
    );
    expect(probe.payload).toHaveLength(0);
    send({ acknowledgement: acknowledgement + 10, window: 5 });
    expect((await nextSegment(PSH)).payload.toString()).toBe("abcde");
  });

  test("is reset only by what lies exactly at its place; else it is asked", async () => {
    using host = server();
    const { send, sequence, write } = await open(host.port);
    send({ sequence: sequence() + 10, flags: RST });
    expect(await nextSegment(ACK)).toMatchObject({ acknowledgement: sequence() });
    send({ sequence: sequence() - 10, flags: RST });
    send({ sequence: sequence(), flags: SYN });
    expect(await nextSegment(ACK)).toMatchObject({ acknowledgement: sequence() });
    expect(container.usage.connections).toBe(1);
    write(Buffer.from("alive"));
    await until(() => (host.received.length > 0 ? true : undefined));
    send({ flags: RST });
    await until(() => (container.usage.connections === 0 ? true : undefined));
  });

  test("lingers to acknowledge the container's FIN once more, and gives way to a new one", async () => {
    using host = server();
    const { send, sequence, acknowledgement } = await open(host.port);
    const socket = await until(() => host.sockets[0]);
    socket.end();
    await nextSegment(FIN);
    send({ acknowledgement: acknowledgement + 1, flags: ACK | FIN });
    expect(await nextSegment(ACK)).toMatchObject({ acknowledgement: sequence() + 1 });
    send({ acknowledgement: acknowledgement + 1, flags: ACK | FIN });
    expect(await nextSegment(ACK)).toMatchObject({ acknowledgement: sequence() + 1 });
    expect(container.usage.connections).toBe(1);
    await open(host.port);
    expect(container.usage.connections).toBe(1);
  });

  test("with a container that does not scale windows keeps to 64 KiB", async () => {
    using host = server();
    container.send(tcp({ destinationPort: host.port, flags: SYN }));
    const answer = await nextSegment(SYN);
    expect(answer.window).toBe(65535);
  });

  test("holds what the host does not take within bounds, and takes it all in the end", async () => {
    using host = server();
    const { send, sequence } = await open(host.port, { options: Buffer.from("0204ffd701030307", "hex") });
    const socket = await until(() => host.sockets[0]);
    socket.pause();
    const size = 24 << 20;
    const block = Buffer.alloc(32768, "x");
    let sent = 0;
    let acknowledged = 0;
    let edge = 0;
    const step = () => {
      container.work();
      for (const segment of container.received().map(readTcp)) {
        acknowledged = Math.max(acknowledged, (segment.acknowledgement - sequence()) >>> 0);
        edge = Math.max(edge, acknowledged + segment.window * 128);
      }
      if (sent >= size || sent + block.length > edge) return false;
      send({ sequence: sequence() + sent, payload: block, flags: ACK | PSH });
      sent += block.length;
      return true;
    };
    edge = 65535;
    let quiet = 0;
    for (let before = -1; quiet < 50; before = sent) {
      while (step());
      await Bun.sleep(0);
      quiet = sent === before ? quiet + 1 : 0;
    }
    expect(sent).toBeLessThan(size);
    // Four megabytes, in slots that are half full.
    expect(container.usage.slots).toBeLessThan(140);
    socket.resume();
    await until(() => {
      while (step());
      return host.received.reduce((sum, part) => sum + part.length, 0) >= size ? true : undefined;
    });
    expect(container.usage.slots).toBe(1);
  }, 30_000);
});

describe("a hostile container", () => {
  test("cannot hold memory by fragments, overlapping or never completed", () => {
    const datagram = udpDatagram(1, 9, Buffer.alloc(3000));
    for (let identification = 0; identification < 2000; identification++) {
      container.exchange(ipv4(17, datagram.subarray(0, 1480), { identification, fragment: 0x2000 }));
    }
    expect(container.usage.slots).toBeLessThan(20);
    // An overlap makes all of it invalid.
    const identification = 5000;
    container.exchange(ipv4(17, datagram.subarray(0, 1480), { identification, fragment: 0x2000 }));
    container.exchange(ipv4(17, datagram.subarray(1472, 2960), { identification, fragment: 0x2000 | 184 }));
    const rest = ipv4(17, datagram.subarray(1480), { identification, fragment: 185 });
    expect(container.exchange(rest)).toEqual([]);
  });

  test("gets fragments put together in any order", () => {
    // Nobody listens there, which is told only if the datagram is whole and its checksum right.
    const datagram = udpDatagram(1, 1, Buffer.from(Array.from({ length: 4000 }, (_, index) => index & 0xff)));
    const parts = [
      ipv4(17, datagram.subarray(0, 1480), { fragment: 0x2000 }),
      ipv4(17, datagram.subarray(1480, 2960), { fragment: 0x2000 | 185 }),
      ipv4(17, datagram.subarray(2960), { fragment: 370 }),
    ];
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
      [2, 0, 1],
    ]) {
      const answers = order.flatMap((index) => container.exchange(parts[index] ?? Buffer.alloc(0)));
      container.work();
      expect([...answers, ...container.received()].map((frame) => frame.subarray(34, 36).toString("hex"))).toEqual([
        "0303",
      ]);
    }
  });

  test("can change any bytes of any frame, and the stack goes on", async () => {
    using host = server();
    const random = pseudoRandom(20_240_117);
    const seeds = [
      arpRequest("10.0.2.100", "10.0.2.2"),
      tcp({
        destinationPort: host.port,
        flags: SYN,
        options: Buffer.from("0204ffd70402080a000000000000000001030307", "hex"),
      }),
      tcp({ destinationPort: host.port, flags: ACK | PSH, payload: Buffer.alloc(100) }),
      tcp({ destinationPort: 1, flags: FIN | ACK, payload: Buffer.alloc(9) }),
      ipv4(17, udpDatagram(5, 53, Buffer.alloc(30))),
      ipv4(
        17,
        udpDatagram(5, 53, Buffer.from("0007010000010000000000000003666f6f0000010001", "hex"), {
          destination: "10.0.2.3",
        }),
        {
          destination: "10.0.2.3",
        },
      ),
      ipv4(1, Buffer.from("0800f7ff00000000", "hex")),
      ipv4(17, udpDatagram(5, 9, Buffer.alloc(64)), { fragment: 0x2000 }),
      ipv4(4, Buffer.alloc(40)),
      ...IPV6_FRAMES.map((hex) => Buffer.from(hex, "hex")),
    ];
    for (let round = 0; round < 30_000; round++) {
      const seed = seeds[random(seeds.length)] ?? Buffer.alloc(0);
      const frame = Buffer.from(seed.subarray(0, random(8) === 0 ? random(seed.length + 1) : seed.length));
      for (let count = random(4); count > 0 && frame.length > 0; count--)
        frame[12 + random(Math.max(frame.length - 12, 1))] = random(256);
      if (random(2) === 0) repairChecksums(frame);
      // Whether the checksum was left to the device is for the container to say, too.
      container.send(frame);
      if (round % 16 === 0) {
        container.work();
        container.received();
      }
    }
    container.work();
    container.received();
    expect(container.exchange(arpRequest("10.0.2.100", "10.0.2.2"))).not.toEqual([]);
    expect(container.usage.slots).toBeLessThan(400);
    const { write } = await open(host.port, { sourcePort: 60_001 });
    write(Buffer.from("still there"));
    await until(() => (Buffer.concat(host.received).includes("still there") ? true : undefined));
  });

  test("cannot fill it with half-open or finished connections", async () => {
    using host = server();
    for (let count = 0; count < 20_000; count++) {
      const options = {
        sourcePort: 1024 + (count % 60_000),
        source: `10.0.2.${count % 90}`,
        destinationPort: host.port,
      };
      container.send(tcp({ ...options, flags: SYN }));
      if (count % 3 === 0) container.send(tcp({ ...options, flags: FIN | ACK, sequence: 1001 }));
      if (count % 2 === 0) container.send(tcp({ ...options, flags: RST, sequence: 1001 }));
      if (count % 32 === 0) {
        container.work();
        container.received();
      }
    }
    expect(container.usage.connections).toBeLessThanOrEqual(32_768);
    expect(container.usage.slots).toBeLessThan(10);
  }, 60_000);
});

test("a link that ends is told once, and the stack can be disposed", () => {
  container.closeLink();
  container.work();
  expect(container.ended).toBeNumber();
});

/** An echo, a neighbor's solicitation, a TCP segment, a fragment, and extension headers. */
const IPV6_FRAMES = [
  "52550a00020202000000000186dd6000000000083a40fd000000000000000000000000000100fd00000000000000000000000000000280000000" +
    "00000000",
  "52550a00020202000000000186dd6000000000203afffd000000000000000000000000000100ff0200000000000000000001ff00000287000000" +
    "00000000fd0000000000000000000000000000020101020000000001",
  "52550a00020202000000000186dd6000000000140640fd000000000000000000000000000100fd00000000000000000000000000000200090009" +
    "000000010000000050020400" +
    "00000000",
  "52550a00020202000000000186dd6000000000102c40fd000000000000000000000000000100fd00000000000000000000000000000211000001" +
    "0000000100010009000800" +
    "00",
  "52550a00020202000000000186dd6000000000180040fd000000000000000000000000000100fd0000000000000000000000000000023c000000" +
    "000000002b00000000000000" +
    "3b00000000000000",
];

/** Makes the IPv4 header's checksum right, so that what is behind it is looked at. */
function repairChecksums(frame: Buffer): void {
  if (frame.length < 34 || frame.readUInt16BE(12) !== 0x0800) return;
  frame.writeUInt16BE(0, 24);
  frame.writeUInt16BE(internetChecksum(frame.subarray(14, 34)), 24);
}

/** Numbers below a limit, the same in each run. */
function pseudoRandom(state: number): (limit: number) => number {
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % limit;
  };
}
