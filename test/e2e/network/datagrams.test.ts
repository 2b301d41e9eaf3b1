/*
 * UDP, echoes and the resolver, between programs that use sockets as any do.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  CONTAINER_4,
  CONTAINER_6,
  DNS_4,
  GATEWAY_4,
  GATEWAY_6,
  HOST_4,
  HOST_6,
  PrivateNetwork,
} from "./private-network.ts";

setDefaultTimeout(60_000);

let network: PrivateNetwork;

beforeAll(async () => {
  network = await PrivateNetwork.start();
});

afterAll(async () => {
  await network[Symbol.asyncDispose]();
});

const ECHO = (address: string) => `
s = socket.socket(family("${address}"), socket.SOCK_DGRAM)
s.bind(("${address}", 0))
say("port", s.getsockname()[1])
while True:
    data, client = s.recvfrom(65536)
    s.sendto(data[::-1], client)`;

describe("UDP", () => {
  test.each([
    ["127.0.0.1", GATEWAY_4],
    ["::1", GATEWAY_6],
    [HOST_4, HOST_4],
    [HOST_6, HOST_6],
  ])("datagrams of all sizes go to %s and back", async (listening, called) => {
    const server = await network.serve("host", ECHO(listening));
    const program = `
s = socket.socket(family(sys.argv[1]), socket.SOCK_DGRAM)
s.settimeout(20)
s.connect((sys.argv[1], int(sys.argv[2])))
for size in [0, 1, 100, 1472, 1473, 9000, 65000]:
    data = random.randbytes(size)
    s.send(data)
    say(size, s.recv(65536) == data[::-1])`;
    const { output } = await network.run("container", program, called, server.port);
    expect(output).toBe([0, 1, 100, 1472, 1473, 9000, 65000].map((size) => `${size} True\n`).join(""));
  });

  test.each([
    ["nobody listens", GATEWAY_4, "ECONNREFUSED"],
    ["nobody listens, IPv6", GATEWAY_6, "ECONNREFUSED"],
    ["nobody listens at the host's address", HOST_4, "ECONNREFUSED"],
    ["unreachable host, IPv6", "2001:db8:1::1", "EHOSTUNREACH"],
    ["no route, IPv6", "2001:db8:9::1", "ENETUNREACH"],
    ["unreachable host", "203.0.113.5", "EHOSTUNREACH"],
    ["no route", "100.64.0.1", "ENETUNREACH"],
  ])("an error comes back: %s", async (_name, address, expected) => {
    const program = `
s = socket.socket(family(sys.argv[1]), socket.SOCK_DGRAM)
s.settimeout(20)
# Linux tells errors that may pass only to those who ask (IP_RECVERR, IPV6_RECVERR).
if ":" in sys.argv[1]: s.setsockopt(41, 25, 1)
else: s.setsockopt(0, 11, 1)
s.connect((sys.argv[1], 9))
s.send(b"x")
try: say(s.recv(10))
except OSError as error: say(name(error))`;
    expect(await network.run("container", program, address)).toMatchObject({ output: `${expected}\n` });
  });

  test.each([
    ["udp", CONTAINER_4, HOST_4, HOST_4],
    ["udp", CONTAINER_4, "127.0.0.1", GATEWAY_4],
    ["udp6", CONTAINER_6, HOST_6, HOST_6],
  ])("a published port (%s, %s) shows its client %s as %s", async (proto, inside, called, seen) => {
    const server = await network.serve(
      "container",
      `
s = socket.socket(family("${inside}"), socket.SOCK_DGRAM)
s.bind(("${inside}", 0))
say("port", s.getsockname()[1])
while True:
    data, client = s.recvfrom(65536)
    s.sendto(b"%s %d" % (client[0].encode(), client[1]), client)`,
    );
    const forward = { proto, host_port: 8070, guest_port: server.port };
    const added = await network.ask({ execute: "add_hostfwd", arguments: forward });
    const program = `
for _ in range(3):
    s = socket.socket(family(sys.argv[1]), socket.SOCK_DGRAM)
    s.settimeout(20)
    s.connect((sys.argv[1], 8070))
    s.send(b"who am I?")
    say(s.recv(100).decode() == "%s %d" % (sys.argv[2], s.getsockname()[1]))`;
    expect(await network.run("host", program, called, seen)).toMatchObject({ output: "True\nTrue\nTrue\n" });
    const { id } = (added as { return: { id: number } }).return;
    expect(await network.ask({ execute: "remove_hostfwd", arguments: { id } })).toEqual({ return: {} });
  });

  test("fragments are put together", async () => {
    const server = await network.serve("host", ECHO("127.0.0.1"));
    await network.command("container", ["ip", "link", "set", "tap0", "mtu", "1280"]);
    const program = `
s = socket.socket(family(sys.argv[1]), socket.SOCK_DGRAM)
s.settimeout(20)
s.connect((sys.argv[1], int(sys.argv[2])))
for size in [1253, 5000, 20000, 65000]:
    data = random.randbytes(size)
    s.send(data)
    say(s.recv(65536) == data[::-1])`;
    expect(await network.run("container", program, GATEWAY_4, server.port)).toMatchObject({
      output: "True\nTrue\nTrue\nTrue\n",
    });
    const server6 = await network.serve("host", ECHO("::1"));
    expect(await network.run("container", program, GATEWAY_6, server6.port)).toMatchObject({
      output: "True\nTrue\nTrue\nTrue\n",
    });
    await network.command("container", ["ip", "link", "set", "tap0", "mtu", "65520"]);
  });
});

describe("ping", () => {
  const ping = (address: string) => network.command("container", ["ping", "-c", "1", "-W", "5", address]);

  test.each([GATEWAY_4, GATEWAY_6, DNS_4])("the stack's own address %s answers", async (address) => {
    expect(await ping(address)).toMatchObject({ status: 0 });
  });

  test("of others is prohibited where the host permits no ping sockets", async () => {
    await network.command("host", ["sysctl", "-q", "net.ipv4.ping_group_range=1 0"]);
    const { status, output } = await ping(HOST_4);
    expect({ status, output }).toMatchObject({ status: 1, output: expect.stringContaining("Packet filtered") });
  });

  test("goes to others by ping sockets", async () => {
    await network.command("host", ["sysctl", "-q", "net.ipv4.ping_group_range=0 0"]);
    expect(await ping(HOST_4)).toMatchObject({ status: 0 });
    expect(await ping(HOST_6)).toMatchObject({ status: 0 });
  });

  test("tells of an unreachable host", async () => {
    const { output } = await ping("203.0.113.5");
    expect(output).toContain("Destination Host Unreachable");
  });

  test("whose time to live is over before the host is told so by the gateway", async () => {
    const { output } = await network.command("container", ["ping", "-c", "1", "-W", "5", "-t", "1", HOST_4]);
    expect(output).toMatch(/From 10\.0\.2\.2 .*Time to live exceeded/);
  });
});

describe("the resolver", () => {
  /** A server that answers each question by its own number, or as it is told. */
  const SERVER = (address: string, behaviour: string) => `
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("${address}", 53))
l = socket.socket()
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(("${address}", 53))
l.listen(5)
say("port", 53)
def tcp():
    while True:
        c, _ = l.accept()
        length, = struct.unpack(">H", c.recv(2))
        question = c.recv(length)
        answer = question[:2] + bytes([0x81, 0x80]) + question[4:] + b"by tcp from ${address}"
        c.sendall(struct.pack(">H", len(answer)) + answer)
        c.close()
threading.Thread(target=tcp, daemon=True).start()
while True:
    question, client = s.recvfrom(65536)
    ${behaviour}`;
  const answering = (address: string, padding = 0) =>
    SERVER(
      address,
      `s.sendto(question[:2] + bytes([0x81, 0x80]) + question[4:] + b"from ${address}" + bytes(${padding}), client)`,
    );
  const ASK = `
question = struct.pack(">HHHHHH", random.randrange(65536), 0x0100, 1, 0, 0, 0) + b"\\x03foo\\x00\\x00\\x01\\x00\\x01"
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(30)
s.connect(("${DNS_4}", 53))
s.send(question)
answer = s.recv(65536)
say(answer[:2] == question[:2], answer[3] & 15, len(answer), answer[len(question):].rstrip(bytes(1)).decode())`;
  const QUESTION_SIZE = 21;

  test("is the host's, as it is now", async () => {
    await network.serve("host", answering("127.0.0.53"));
    network.setResolvers("nameserver 127.0.0.53\n");
    const output = `True 0 ${QUESTION_SIZE + "from 127.0.0.53".length} from 127.0.0.53\n`;
    expect(await network.run("container", ASK)).toMatchObject({ output });
    await network.serve("host", answering("127.0.0.54", 5000));
    network.setResolvers("# another one\nnameserver 127.0.0.54\noptions ndots:1\n");
    const longer = `True 0 ${QUESTION_SIZE + "from 127.0.0.54".length + 5000} from 127.0.0.54\n`;
    expect(await network.run("container", ASK)).toMatchObject({ output: longer });
  });

  test("is the next one when one is not there, is silent, or has failed", async () => {
    await network.serve("host", answering("127.0.0.60"));
    network.setResolvers("nameserver 127.0.0.61\nnameserver 127.0.0.60\n");
    expect(await network.run("container", ASK)).toMatchObject({ output: expect.stringContaining("from 127.0.0.60") });
    await network.serve("host", SERVER("127.0.0.62", "pass"));
    network.setResolvers("nameserver 127.0.0.62\nnameserver 127.0.0.60\n");
    expect(await network.run("container", ASK)).toMatchObject({ output: expect.stringContaining("from 127.0.0.60") });
    const failing = 's.sendto(question[:2] + bytes([0x81, 0x82]) + question[4:] + b"failed", client)';
    await network.serve("host", SERVER("127.0.0.63", failing));
    network.setResolvers("nameserver 127.0.0.63\nnameserver 127.0.0.60\n");
    expect(await network.run("container", ASK)).toMatchObject({ output: expect.stringContaining("from 127.0.0.60") });
  });

  test("says SERVFAIL when there is nobody", async () => {
    network.setResolvers("nameserver 127.0.0.61\nnameserver 100.64.0.1\n");
    expect(await network.run("container", ASK)).toMatchObject({ output: `True 2 ${QUESTION_SIZE} \n` });
  });

  test("takes no forged answer", async () => {
    const forging = `
    s.sendto(bytes([question[0] ^ 1]) + question[1:2] + bytes([0x81, 0x80]) + question[4:] + b"forged", client)
    s.sendto(question[:5], client)
    s.sendto(b"", client)
    s.sendto(question + b"not an answer", client)
    s.sendto(question[:2] + bytes([0x81, 0x80]) + question[4:] + b"true", client)`;
    await network.serve("host", SERVER("127.0.0.64", forging));
    network.setResolvers("nameserver 127.0.0.64\n");
    expect(await network.run("container", ASK)).toMatchObject({ output: expect.stringMatching(/ true\n$/) });
  });

  test("answers over TCP too, by the next one when one is not there", async () => {
    await network.serve("host", answering("127.0.0.65"));
    network.setResolvers("nameserver 127.0.0.61\nnameserver 127.0.0.65\n");
    const program = `
question = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\\x03foo\\x00\\x00\\x01\\x00\\x01"
s = socket.create_connection(("${DNS_4}", 53))
s.sendall(struct.pack(">H", len(question)) + question)
s.shutdown(socket.SHUT_WR)
say(receive_all(s)[2 + len(question):].decode())`;
    expect(await network.run("container", program)).toMatchObject({ output: "by tcp from 127.0.0.65\n" });
  });

  test("passes answers of any size on as they are, also cut off ones and those that EDNS permits", async () => {
    // Cut off without EDNS, as long as it permits, and as long as can be over TCP.
    await network.serve(
      "host",
      `
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.70", 53))
def tcp(l):
    while True:
        c, _ = l.accept()
        while length := c.recv(2, socket.MSG_WAITALL):
            question = c.recv(*struct.unpack(">H", length), socket.MSG_WAITALL)
            answer = question[:2] + bytes([0x81, 0x80]) + question[4:]
            c.sendall(b"\\xff\\xff" + answer + random.Random(1).randbytes(65535 - len(answer)))
l = socket.socket()
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(("127.0.0.70", 53))
l.listen()
threading.Thread(target=tcp, args=(l,), daemon=True).start()
say("port", 53)
while True:
    question, client = s.recvfrom(65536)
    if question[11] == 0: s.sendto(question[:2] + bytes([0x83, 0x80]) + question[4:], client)
    else:
        size, = struct.unpack(">H", question[-8:-6])
        s.sendto(question[:2] + bytes([0x81, 0x80]) + question[4:] + random.Random(size).randbytes(size - len(question)), client)`,
    );
    network.setResolvers("nameserver 127.0.0.70\n");
    const program = `
question = struct.pack(">HHHHHH", 77, 0x0100, 1, 0, 0, 0) + b"\\x03foo\\x00\\x00\\x01\\x00\\x01"
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(30)
s.connect(("${DNS_4}", 53))
s.send(question)
answer = s.recv(65536)
say("cut off", answer == question[:2] + bytes([0x83, 0x80]) + question[4:])
for size in [512, 1232, 4096, 65507]:
    asked = question[:11] + b"\\x01" + question[12:] + struct.pack(">BHHIH", 0, 41, size, 0x8000, 0)
    s.send(asked)
    answer = s.recv(65536)
    say(size, answer[4:] == asked[4:] + random.Random(size).randbytes(size - len(asked)))
t = socket.create_connection(("${DNS_4}", 53))
for _ in range(3):
    t.sendall(struct.pack(">H", len(question)) + question)
    answer = t.recv(65537, socket.MSG_WAITALL)
    say(len(answer), answer[2 + len(question):] == random.Random(1).randbytes(65535 - len(question)))`;
    expect(await network.run("container", program)).toMatchObject({
      errors: "",
      output: `cut off True\n512 True\n1232 True\n4096 True\n65507 True\n${"65537 True\n".repeat(3)}`,
    });
  });

  test("passes no garbage on, and asks the next one instead", async () => {
    const resolver = (address: string, answers: string) => `
l = socket.socket()
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(("${address}", 53))
l.listen()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("${address}", 53))
def answers(question):
${answers}
def datagrams():
    while True:
        question, client = s.recvfrom(65536)
        for answer in answers(question): s.sendto(answer, client)
threading.Thread(target=datagrams, daemon=True).start()
say("port", 53)
while True:
    c, _ = l.accept()
    question = c.recv(*struct.unpack(">H", c.recv(2, socket.MSG_WAITALL)), socket.MSG_WAITALL)
    for answer in answers(question): c.sendall(struct.pack(">H", len(answer)) + answer)
    c.close()`;
    const garbage = `
    yield b""
    yield b"\\x00"
    yield question[:2] + b"\\x81\\x80"
    yield bytes([question[0] ^ 0xff]) + question[1:2] + bytes([0x81, 0x80]) + question[4:] + b"of another question"
    yield question
    for size in [11, 12, 100, 5000]: yield bytes([question[0] ^ 0x55]) + random.randbytes(size)`;
    await network.serve("host", resolver("127.0.0.71", garbage));
    await network.serve(
      "host",
      resolver("127.0.0.72", '    yield question[:2] + bytes([0x81, 0x80]) + question[4:] + b"true"'),
    );
    const program = `
question = struct.pack(">HHHHHH", 0x0107, 0x0100, 1, 0, 0, 0) + b"\\x03foo\\x00\\x00\\x01\\x00\\x01"
if sys.argv[1] == "udp":
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(30)
    s.sendto(question, ("${DNS_4}", 53))
    say(s.recv(65536)[len(question):].decode())
else:
    s = socket.create_connection(("${DNS_4}", 53))
    s.sendall(struct.pack(">H", len(question)) + question)
    length, = struct.unpack(">H", s.recv(2, socket.MSG_WAITALL))
    say(s.recv(length, socket.MSG_WAITALL)[len(question):].decode())`;
    for (const transport of ["udp", "tcp"]) {
      // For each anew: who has sent garbage only is asked last from then on.
      network.setResolvers(`# ${transport}\nnameserver 127.0.0.71\nnameserver 127.0.0.72\n`);
      expect(await network.run("container", program, transport)).toMatchObject({ errors: "", output: "true\n" });
    }
  });
});
