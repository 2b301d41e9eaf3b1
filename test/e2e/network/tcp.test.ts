/*
 * TCP through the stack, between programs that use sockets as any do: the kernels of both sides are real.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { CONTAINER_4, CONTAINER_6, GATEWAY_4, GATEWAY_6, HOST_4, HOST_6, PrivateNetwork } from "./private-network.ts";

setDefaultTimeout(60_000);

let network: PrivateNetwork;

beforeAll(async () => {
  network = await PrivateNetwork.start();
});

afterAll(async () => {
  await network[Symbol.asyncDispose]();
});

/** Sends so many bytes both ways at once, and says the hashes of what was sent and what came. */
const EXCHANGE = `
def exchange(s, size, seed):
    generator = random.Random(seed)
    sent = hashlib.sha256()
    def send():
        left = size
        block = generator.randbytes(1 << 20)
        while left > 0:
            part = block[:min(left, generator.randrange(1, 1 << 20))]
            sent.update(part)
            s.sendall(part)
            left -= len(part)
        s.shutdown(socket.SHUT_WR)
    thread = threading.Thread(target=send)
    thread.start()
    came = hashlib.sha256()
    while True:
        part = s.recv(1 << 18)
        if not part: break
        came.update(part)
    thread.join()
    say("sent", sent.hexdigest())
    say("came", came.hexdigest())
`;

const hash = (text: string, which: "sent" | "came") => new RegExp(`${which} (\\w{64})`).exec(text)?.[1];

describe("what is sent arrives", () => {
  test.each([
    ["127.0.0.1", GATEWAY_4],
    ["::1", GATEWAY_6],
    [HOST_4, HOST_4],
    [HOST_6, HOST_6],
  ])("whole, both ways at once, from the container to %s", async (listening, called) => {
    const server = await network.serve(
      "host",
      `${EXCHANGE}
s, _ = listener("${listening}").accept()
exchange(s, 48 << 20, 1)`,
    );
    const program = `${EXCHANGE}
exchange(socket.create_connection((sys.argv[1], int(sys.argv[2]))), 48 << 20, 2)`;
    const client = await network.run("container", program, called, server.port);
    const { output } = await server.session.finish();
    expect(client).toMatchObject({ status: 0, errors: "" });
    expect(hash(output, "came")).toBe(hash(client.output, "sent") ?? "");
    expect(hash(client.output, "came")).toBe(hash(output, "sent") ?? "");
  });

  test.each([
    ["tcp", CONTAINER_4, HOST_4, HOST_4],
    ["tcp6", CONTAINER_6, HOST_6, HOST_6],
    ["tcp", CONTAINER_4, "127.0.0.1", GATEWAY_4],
    ["tcp6", CONTAINER_6, "::1", GATEWAY_6],
  ])("whole, both ways at once, through a published port (%s, %s, client %s)", async (proto, inside, called, seen) => {
    const server = await network.serve(
      "container",
      `${EXCHANGE}
s, client = listener("${inside}").accept()
say("client", client[0], client[1])
exchange(s, 16 << 20, 1)`,
    );
    const forward = { proto, host_addr: proto === "tcp6" ? "::" : "0.0.0.0", host_port: 8088, guest_port: server.port };
    const added = await network.ask({ execute: "add_hostfwd", arguments: forward });
    expect(added).toEqual({ return: { id: expect.any(Number) } });
    const program = `${EXCHANGE}
s = socket.create_connection((sys.argv[1], 8088))
say("own", s.getsockname()[1])
exchange(s, 16 << 20, 2)`;
    const client = await network.run("host", program, called);
    const { output } = await server.session.finish();
    expect(client).toMatchObject({ status: 0, errors: "" });
    const ownPort = /own (\d+)/.exec(client.output)?.[1];
    expect(output).toContain(`client ${seen} ${ownPort}\n`);
    expect(hash(output, "came")).toBe(hash(client.output, "sent") ?? "");
    expect(hash(client.output, "came")).toBe(hash(output, "sent") ?? "");
    const { id } = (added as { return: { id: number } }).return;
    expect(await network.ask({ execute: "remove_hostfwd", arguments: { id } })).toEqual({ return: {} });
  });

  test("while the receiver sleeps and its window is closed, in both directions", async () => {
    const server = await network.serve(
      "host",
      `
s, _ = listener("127.0.0.1").accept()
s.setblocking(False)
full = 0
try:
    while True: full += s.send(bytes(1 << 16))
except BlockingIOError: pass
s.setblocking(True)
say("full", full)
sys.stdin.readline()
came = receive_all(s)
say("got", len(came))
s.shutdown(socket.SHUT_WR)`,
    );
    const client = network.talk(
      "container",
      `
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.setblocking(False)
full = 0
try:
    while True: full += s.send(bytes(1 << 16))
except BlockingIOError: pass
s.setblocking(True)
say("full", full)
sys.stdin.readline()
s.shutdown(socket.SHUT_WR)
say("got", len(receive_all(s)))`,
      GATEWAY_4,
      server.port,
    );
    const hostFull = Number((await server.session.expect(/full \d+/)).split(" ")[1]);
    const containerFull = Number((await client.expect(/full \d+/)).split(" ")[1]);
    // Far less than would be sent if nobody held it back.
    expect(containerFull).toBeLessThan(64 << 20);
    server.session.type("\n");
    client.type("\n");
    await server.session.expect(`got ${containerFull}\n`);
    await client.expect(/got \d+/);
    expect(Number(/got (\d+)/.exec(client.shown())?.[1])).toBeGreaterThanOrEqual(hostFull);
    await Promise.all([server.session.finish(), client.finish()]);
  });
});

describe("the end of a connection", () => {
  test("half of it goes on when the other has ended", async () => {
    const server = await network.serve(
      "host",
      `
s, _ = listener("127.0.0.1").accept()
question = receive_all(s)
s.sendall(question.upper() * 1000)
s.close()`,
    );
    const program = `
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.sendall(b"question")
s.shutdown(socket.SHUT_WR)
say(receive_all(s) == b"QUESTION" * 1000)`;
    expect(await network.run("container", program, GATEWAY_4, server.port)).toMatchObject({ output: "True\n" });
    await server.session.finish();
  });

  test("a reset of the server's arrives as one", async () => {
    const server = await network.serve("host", `s, _ = listener("127.0.0.1").accept(); s.recv(1); reset(s)`);
    const program = `
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.sendall(b"x")
try: say("came", s.recv(10))
except OSError as error: say(name(error))`;
    expect(await network.run("container", program, GATEWAY_4, server.port)).toMatchObject({ output: "ECONNRESET\n" });
    await server.session.finish();
  });

  test("a reset of the client's arrives as one", async () => {
    const server = await network.serve(
      "host",
      `
s, _ = listener("127.0.0.1").accept()
try:
    while s.recv(10): pass
    say("end")
except OSError as error: say(name(error))`,
    );
    const program = `
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
reset(s)`;
    await network.run("container", program, GATEWAY_4, server.port);
    await server.session.expect("ECONNRESET");
    await server.session.finish();
  });

  /** Each connection ends as its first byte says. */
  const ENDING_SERVER = (address: string) => `
l = listener("${address}")
def serve(s):
    kind = s.recv(1)
    try:
        if kind == b"a":
            question = receive_all(s)
            s.sendall(question * 3)
            s.close()
        elif kind == b"b":
            s.sendall(b"all of it")
            s.shutdown(socket.SHUT_WR)
            say("b", len(receive_all(s)))
        elif kind == b"c":
            s.shutdown(socket.SHUT_WR)
            say("c", len(receive_all(s)))
        elif kind == b"d": reset(s)
        elif kind == b"e":
            s.sendall(b"reset")
            say("e", len(receive_all(s)))
    except OSError as error: say(kind.decode(), name(error))
for _ in range(5): serve(l.accept()[0])`;
  const ENDING_CLIENT = `
def connect(kind):
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    s.sendall(kind)
    return s
s = connect(b"a")
s.sendall(bytes(100000))
s.shutdown(socket.SHUT_WR)
say("a", len(receive_all(s)))
s = connect(b"b")
say("b", receive_all(s).decode())
s.sendall(bytes(3000000))
s.close()
s = connect(b"c")
s.shutdown(socket.SHUT_WR)
say("c", len(receive_all(s)))
s = connect(b"d")
try: say("d", s.recv(10))
except OSError as error: say("d", name(error))
s = connect(b"e")
s.recv(5, socket.MSG_WAITALL)
reset(s)`;
  const ENDINGS_OF_SERVER = "b 3000000\nc 0\ne ECONNRESET\n";
  const ENDINGS_OF_CLIENT = "a 300000\nb all of it\nc 0\nd ECONNRESET\n";

  test.each([
    ["container", "127.0.0.1", GATEWAY_4],
    ["container", "::1", GATEWAY_6],
    ["host", CONTAINER_4, HOST_4],
    ["host", CONTAINER_6, HOST_6],
  ] as const)(
    "is that of either side, halves and resets, with a client of the %s's at %s",
    async (where, at, called) => {
      const isOut = where === "container";
      const server = await network.serve(isOut ? "host" : "container", ENDING_SERVER(at));
      let port = server.port;
      if (!isOut) {
        port = 8095;
        const proto = called === HOST_6 ? "tcp6" : "tcp";
        expect(await network.publish(proto, port, server.port)).toEqual({ return: { id: expect.any(Number) } });
      }
      const client = await network.run(where, ENDING_CLIENT, called, port);
      expect(client).toEqual({ status: 0, output: ENDINGS_OF_CLIENT, errors: "" });
      expect((await server.session.finish()).output.replace(/^port .*\n/, "")).toBe(ENDINGS_OF_SERVER);
    },
  );

  test("a client's connection to a published port where nobody listens is reset", async () => {
    const { id } = ((await network.publish("tcp", 8099, 4)) as { return: { id: number } }).return;
    const program = `
s = socket.create_connection(("127.0.0.1", 8099))
try: say("came", s.recv(10))
except OSError as error: say(name(error))`;
    expect(await network.run("host", program)).toMatchObject({ output: "ECONNRESET\n" });
    await network.ask({ execute: "remove_hostfwd", arguments: { id } });
  });
});

test.each([
  ["container", "127.0.0.1", GATEWAY_4],
  ["container", "::1", GATEWAY_6],
  ["host", CONTAINER_4, HOST_4],
  ["host", CONTAINER_6, HOST_6],
] as const)("urgent data keeps its place, with a client of the %s's at %s", async (where, at, called) => {
  // An urgent byte between two others, there and back: taken out of band on both sides.
  const urgent = `
def urgent(s):
    s.sendall(b"before")
    s.send(b"!", socket.MSG_OOB)
    s.sendall(b"after")
    s.shutdown(socket.SHUT_WR)
    select.select([], [], [s], 60)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    parts = []
    while True:
        part = s.recv(100)
        if not part: break
        parts.append(part.decode())
    say("".join(parts), "split" if parts[0] == "before" else "joined")
`;
  const server = await serveTo(where, `${urgent}\ns, _ = listener("${at}").accept()\nurgent(s)`, called);
  const program = `${urgent}\nurgent(socket.create_connection((sys.argv[1], int(sys.argv[2]))))`;
  expect(await network.run(where, program, called, server.port)).toMatchObject({ output: "before!after split\n" });
  expect(await server.session.finish()).toMatchObject({ output: expect.stringContaining("before!after split\n") });
  await server.close();
});

/** Options of a program that asks after a second whether the other side is there. */
const KEEP_ALIVE = `
s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)`;

/** What becomes of keep-alive: a socket of the host's asks as well, and the connection is what it was. */
test.each([
  ["container", "127.0.0.1", GATEWAY_4],
  ["host", CONTAINER_4, HOST_4],
] as const)("a container's keep-alive is passed on, with a client of the %s's at %s", async (where, at, called) => {
  const isOut = where === "container";
  const finish = `
say("went", s.send(b"x"))
say("came", s.recv(1))`;
  const accept = `s, _ = listener("${at}").accept()`;
  const wait = "\nsys.stdin.readline()";
  const server = await serveTo(where, `${accept}${isOut ? "" : KEEP_ALIVE}${wait}${finish}`, called);
  const dial = "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))";
  const client = network.talk(where, `${dial}${isOut ? KEEP_ALIVE : ""}${wait}${finish}`, called, server.port);
  // The stack's socket: the client of a server on the host, or the server of a client there.
  const ends = isOut ? ["dport", "=", `${server.port}`] : ["sport", "=", `${server.port}`];
  const look = async () => (await network.command("host", ["ss", "-tnoH", "state", "established", ...ends])).output;
  let shown = "";
  while (!shown.includes("keepalive")) shown = await look();
  for (const session of [client, server.session]) session.type("\n");
  for (const session of [client, server.session]) {
    expect((await session.finish()).output.replace(/^port .*\n/, "")).toBe("went 1\ncame b'x'\n");
  }
  await server.close();
});

test("a client's keep-alive through a published port is answered while the container says nothing", async () => {
  const server = await serveTo("host", `s, _ = listener("${CONTAINER_4}").accept()\nsay("heard", s.recv(1))`, HOST_4);
  // Another probe each second, of which none may stay without an answer.
  const client = network.talk(
    "host",
    `s = socket.create_connection((sys.argv[1], int(sys.argv[2])))${KEEP_ALIVE}
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 1)
s.setblocking(False)
# What Linux counts of the segments that a socket has got; struct tcp_info.
segments = lambda: struct.unpack_from("I", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232), 140)[0]
before = segments()
while segments() < before + 2: select.select([s], [], [], 0.1)
say("sent", s.send(b"x"))`,
    HOST_4,
    server.port,
  );
  await client.expect("sent 1\n");
  await server.session.expect("heard b'x'\n");
  await Promise.all([client.finish(), server.session.finish()]);
  await server.close();
});

/**
 * Starts a server for clients of one side: on the host, or in the container behind a published port.
 * @param called the address by which clients call
 */
async function serveTo(clients: "host" | "container", program: string, called: string) {
  if (clients === "container") return { ...(await network.serve("host", program)), close: async () => {} };
  const { session, port } = await network.serve("container", program);
  const published = 8096;
  const added = await network.publish(called.includes(":") ? "tcp6" : "tcp", published, port);
  expect(added).toEqual({ return: { id: expect.any(Number) } });
  const { id } = (added as { return: { id: number } }).return;
  const close = async () => void (await network.ask({ execute: "remove_hostfwd", arguments: { id } }));
  return { session, port: published, close };
}

describe("a connect(2) that fails outside fails inside with the same errno:", () => {
  test.each([
    ["nobody listens", GATEWAY_4, "ECONNREFUSED"],
    ["nobody listens, IPv6", GATEWAY_6, "ECONNREFUSED"],
    ["nobody listens at the host's address", HOST_4, "ECONNREFUSED"],
    ["unreachable host", "203.0.113.5", "EHOSTUNREACH"],
    ["no route", "100.64.0.1", "ENETUNREACH"],
    ["no route, IPv6", "2001:db8:9::1", "ENETUNREACH"],
    ["unreachable host, IPv6", "2001:db8:1::1", "EHOSTUNREACH"],
    ["prohibited", "203.0.113.70", "EHOSTUNREACH"],
    ["the resolver at another port", "10.0.2.3", "ECONNREFUSED"],
  ])("%s", async (_name, address, expected) => {
    const program = `
s = socket.socket(family(sys.argv[1]))
try: s.connect((sys.argv[1], 9))
except OSError as error: say(name(error))`;
    expect(await network.run("container", program, address)).toMatchObject({ output: `${expected}\n` });
  });
});

/** Routers of far networks, which answer each packet to an address with the ICMP error that its last byte says. */
const FAR_NETWORKS = `
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"far0", 0x1001))
for words in ["link set far0 up", "route add 203.0.114.0/24 dev far0", "-6 route add 2001:db8:7::/64 dev far0"]:
    if os.system("ip " + words): sys.exit(1)
def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return struct.pack(">H", ~total & 0xffff)
say("port", 0)
while True:
    packet = os.read(tun, 65536)
    if packet[0] >> 4 == 4:
        if packet[12:16] == packet[16:20] or packet[19] == 255: continue
        message = bytes([3, packet[19], 0, 0]) + bytes(4) + packet[:28]
        message = message[:2] + checksum(message) + message[4:]
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(message), 1, 0, 64, 1, 0) + bytes([203, 0, 114, 254]) + packet[12:16]
        os.write(tun, ip[:10] + checksum(ip) + ip[12:] + message)
    else:
        if packet[24:32] != socket.inet_pton(socket.AF_INET6, "2001:db8:7::")[:8] or packet[39] == 255: continue
        message = bytes([packet[38], packet[39], 0, 0]) + struct.pack(">I", 6 if packet[38] == 4 else 0) + packet[:48]
        ends = socket.inet_pton(socket.AF_INET6, "2001:db8:7::fffe") + packet[8:24]
        message = message[:2] + checksum(ends + struct.pack(">II", len(message), 58) + message) + message[4:]
        os.write(tun, struct.pack(">IHBB", 0x60000000, len(message), 58, 64) + ends + message)`;

/** Says what becomes of a connection and a datagram to each of them, and of a connection to a host that is silent. */
const TRY_FAR_NETWORKS = `
addresses = ["203.0.114.%d" % code for code in range(16) if code != 4]
addresses += ["2001:db8:7::1%02x" % code for code in range(7)] + ["2001:db8:7::4%02x" % code for code in range(3)]
addresses += ["2001:db8:7::300", "203.0.114.255", "2001:db8:7::ff"]
def attempt(kind, address):
    s = socket.socket(family(address), kind)
    s.settimeout(30)
    try:
        if kind == socket.SOCK_STREAM: s.setsockopt(socket.IPPROTO_TCP, 7, 1)
        elif ":" in address: s.setsockopt(41, 25, 1)
        else: s.setsockopt(0, 11, 1)
        s.connect((address, 9))
        s.send(b"x")
        s.recv(10)
    except OSError as error: return name(error)
from concurrent.futures import ThreadPoolExecutor
kinds = [("tcp", socket.SOCK_STREAM, addresses), ("udp", socket.SOCK_DGRAM, addresses[:-2])]
with ThreadPoolExecutor(64) as pool:
    for protocol, kind, tried in kinds:
        for address, error in zip(tried, pool.map(lambda address: attempt(kind, address), tried)): say(protocol, address, error)`;

test("whatever routers on the way say, a program inside hears as one outside does", async () => {
  await network.serve("host", FAR_NETWORKS);
  const [inside, outside] = await Promise.all([
    network.run("container", TRY_FAR_NETWORKS),
    network.run("host", TRY_FAR_NETWORKS),
  ]);
  expect(inside).toEqual(outside);
  expect(outside.output).toContain("tcp 203.0.114.7 EHOSTDOWN\n");
  expect(outside.output).toContain("tcp 203.0.114.255 ETIMEDOUT\n");
  expect(outside.output).toContain("udp 2001:db8:7::101 EACCES\n");
  expect(outside.output.trim().split("\n")).toHaveLength(2 * 28 - 2);
});

test("many connections at once, each with its own data", async () => {
  const server = await network.serve(
    "host",
    `
l = listener("127.0.0.1")
def serve(s):
    with s: s.sendall(receive_all(s)[::-1])
while True:
    s, _ = l.accept()
    threading.Thread(target=serve, args=(s,), daemon=True).start()`,
  );
  const program = `
def ask(number):
    text = (b"%d-" % number) * (number % 300 + 1)
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    s.sendall(text)
    s.shutdown(socket.SHUT_WR)
    return receive_all(s) == text[::-1]
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(64) as pool: say(sum(pool.map(ask, range(3000))))`;
  expect(await network.run("container", program, GATEWAY_4, server.port)).toMatchObject({ output: "3000\n" });
});

test("a client's port that is used again and again through a published port does not stall", async () => {
  const server = await network.serve(
    "container",
    `
l = listener("0.0.0.0")
while True:
    s, _ = l.accept()
    s.sendall(b"hello")
    s.close()`,
  );
  const { id } = ((await network.publish("tcp", 8097, server.port)) as { return: { id: number } }).return;
  // A port that the kernel chooses for nobody else. The container closes first, and remembers the client's port for a minute (TIME-WAIT).
  const program = `
for _ in range(300):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 25678))
    s.connect(("127.0.0.1", 8097))
    if receive_all(s) != b"hello": say("wrong")
    reset(s)
say("done")`;
  expect(await network.run("host", program)).toMatchObject({ output: "done\n", errors: "" });
  await network.ask({ execute: "remove_hostfwd", arguments: { id } });
});
