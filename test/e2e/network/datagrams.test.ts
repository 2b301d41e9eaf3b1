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
});
