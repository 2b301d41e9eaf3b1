/*
 * A container that floods, thousands of flows at once, and a device that is deleted.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { eventually } from "../../unprivileged-user.ts";
import { GATEWAY_4, HOST_4, HOST_6, PrivateNetwork } from "./private-network.ts";

/** A flood takes seconds, and minutes where others use the processors too. */
setDefaultTimeout(300_000);

let network: PrivateNetwork | undefined;

afterEach(async () => {
  await network?.[Symbol.asyncDispose]();
  network = undefined;
});

/** Answers each connection with what came, and its hash. */
const HASHING = `
l = listener("127.0.0.1")
def serve(s):
    digest = hashlib.sha256()
    data = []
    while True:
        part = s.recv(1 << 18)
        if not part: break
        digest.update(part)
        data.append(part)
    s.sendall(digest.digest())
    for part in data: s.sendall(part)
    s.close()
while True:
    s, _ = l.accept()
    threading.Thread(target=serve, args=(s,), daemon=True).start()`;

/** Says how much comes back, or the error of the connection. */
const CONNECT_AND_SAY = `
s = socket.socket(family(sys.argv[1]))
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
    s.sendall(bytes(32))
    s.shutdown(socket.SHUT_WR)
    say(len(receive_all(s)))
except OSError as error: say(name(error))`;

/** Frames of every protocol that the stack knows, with any of their fields changed, cut off, or longer than they say. */
const HOSTILE = `
mine = raw.getsockname()[4].hex()
four = lambda protocol, payload, fragment=0: struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), random.randrange(65536),
    fragment, 64, protocol, 0) + socket.inet_aton("10.0.2.100") + socket.inet_aton("10.0.2.2") + payload
six = lambda following, payload, target="fd00::2": struct.pack(">IHBB", 0x60000000, len(payload), following, 255) \\
    + socket.inet_pton(socket.AF_INET6, "fd00::100") + socket.inet_pton(socket.AF_INET6, target) + payload
def right(packet):
    # The header's checksum, so that what is changed behind it is looked at.
    return packet if packet[0] >> 4 == 6 else packet[:10] + struct.pack(">H", checksum(packet[:20])) + packet[12:]
tcp = lambda: struct.pack(">HHIIBBHHH", random.randrange(1, 1024), random.choice([53, int(sys.argv[1])]), random.randrange(1 << 32), 0,
    random.choice([0x50, 0x80]), random.randrange(64), 1000, 0, 0) + random.randbytes(random.randrange(60))
udp = lambda: struct.pack(">HHHH", random.randrange(1, 1024), random.choice([53, 67, 9]), 40, 0) + random.randbytes(32)
echo = lambda kind: struct.pack(">BBHHH", kind, 0, 0, 1, 1) + random.randbytes(24)
neighbor = lambda kind: struct.pack(">BBHI", kind, 0, 0, 0) + socket.inet_pton(socket.AF_INET6, "fd00::2") + bytes([1, 1]) + random.randbytes(6)
arp = lambda: struct.pack(">HHBBH", 1, 0x800, 6, 4, random.choice([1, 2])) + bytes.fromhex(mine) + socket.inet_aton("10.0.2.100") \\
    + bytes(6) + socket.inet_aton("10.0.2.2")
makers = [
    lambda: (0x0806, arp()),
    lambda: (0x0800, right(four(6, tcp()))),
    lambda: (0x0800, right(four(17, udp()))),
    lambda: (0x0800, right(four(1, echo(8)))),
    lambda: (0x0800, right(four(17, random.randbytes(64), random.choice([0, 0x2000]) | random.randrange(24)))),
    lambda: (0x86dd, six(6, tcp())),
    lambda: (0x86dd, six(17, udp())),
    lambda: (0x86dd, six(58, echo(128))),
    lambda: (0x86dd, six(58, neighbor(random.choice([133, 134, 135, 136, 137])), random.choice(["fd00::2", "ff02::1:ff00:2"]))),
    lambda: (0x86dd, six(44, struct.pack(">BBHI", 17, 0, random.randrange(200) << 3 | random.randrange(2), 7) + random.randbytes(64))),
    lambda: (0x86dd, six(random.choice([0, 43, 60]), bytes([6, random.randrange(4)]) + random.randbytes(30))),
    lambda: (0x8100, random.randbytes(40)),
]
def hostile():
    kind, payload = random.choice(makers)()
    frame = bytearray(bytes.fromhex("52550a000202" + mine) + struct.pack(">H", kind) + payload)
    for _ in range(random.randrange(4)): frame[random.randrange(14, len(frame))] = random.choice([0, 1, 127, 128, 255, random.randrange(256)])
    shape = random.randrange(8)
    if shape == 0: del frame[random.randrange(14, len(frame)):]
    elif shape == 1: frame += bytes(random.choice([1, 100, 1500, 60000]))
    return bytes(frame)`;

describe("a flood of", () => {
  const RAW = `
def checksum(data):
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
def segment(destination, port, flags, sequence=1, source_port=0):
    source = socket.inet_aton("10.0.2.%d" % random.randrange(110, 250))
    target = socket.inet_aton(destination)
    tcp = struct.pack(">HHIIBBHHH", source_port or random.randrange(1, 65536), port, sequence, 0, 0x50, flags, 1000, 0, 0)
    tcp = tcp[:16] + struct.pack(">H", checksum(source + target + struct.pack(">HH", 6, 20) + tcp)) + tcp[18:]
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, source, target)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return ethernet + ip + tcp
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("tap0", 0))
# From the device's own address: the stack answers whoever has spoken last, and others' answers would be lost with another.
ethernet = bytes.fromhex("52550a000202") + raw.getsockname()[4] + bytes.fromhex("0800")
answers = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
answers.bind(("tap0", 0x806))
answers.settimeout(1)
def wait_for_stack():
    # What answers to a question behind the frames has read them. The sender's address, which the answer repeats, says which.
    mark = random.randbytes(4)
    own = raw.getsockname()[4]
    question = b"\\xff" * 6 + own + struct.pack(">HHHBBH", 0x806, 1, 0x800, 6, 4, 1) + own + mark + bytes(6) + socket.inet_aton("10.0.2.2")
    while True:
        raw.send(question)
        try:
            while answers.recv(2000)[38:42] != mark: pass
            return
        except TimeoutError: pass
def flood(count, make):
    # No more at once than the device has room for beside the frames of others: it would only drop them.
    for number in range(1, count + 1):
        raw.send(make())
        if number % 500 == 0: wait_for_stack()
`;
  const ASK = `
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60)
s.sendall(b"still there?" * 1000)
s.shutdown(socket.SHUT_WR)
say(len(receive_all(s)))`;

  test.each([
    // 198.51.100.0/24 answers nothing: the connections stay half open.
    ["half-open connections", `flood(100000, lambda: segment("198.51.100.%d" % random.randrange(1, 250), 80, 2))`],
    [
      "FINs and resets",
      `flood(20000, lambda: segment("10.0.2.2", int(sys.argv[1]), random.choice([1, 4, 17, 20, 25, 41, 63])))`,
    ],
    ["hostile frames", `${HOSTILE}\nflood(20000, hostile)`],
    ["SYNs to a server", `flood(6000, lambda: segment("10.0.2.2", int(sys.argv[1]), 2, random.randrange(1 << 32)))`],
  ])("%s leaves other connections and the bounds of memory alone", async (_name, flood) => {
    network = await PrivateNetwork.start();
    const server = await network.serve("host", HASHING);
    expect(await network.run("container", ASK, GATEWAY_4, server.port)).toMatchObject({ output: "12032\n" });
    const before = await network.privateMemory();
    const flooding = network.talk("container", `${RAW}\nsay("begin")\n${flood}\nsay("end")`, server.port);
    await flooding.expect("begin");
    expect(await network.run("container", ASK, GATEWAY_4, server.port)).toMatchObject({ output: "12032\n" });
    expect(await flooding.finish()).toMatchObject({ output: "begin\nend\n" });
    expect(await network.run("container", ASK, GATEWAY_4, server.port)).toMatchObject({ output: "12032\n" });
    expect((await network.privateMemory()) - before).toBeLessThan(160 << 20);
  });
});

test("ten thousand connections are open at once, and end", async () => {
  network = await PrivateNetwork.start();
  const server = await network.serve(
    "host",
    `
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
l = listener("127.0.0.1")
kept = []
def accept():
    while True:
        s, _ = l.accept()
        kept.append(s)
threading.Thread(target=accept, daemon=True).start()
for line in sys.stdin:
    if line == "count\\n": say("kept", len(kept))
    else:
        for s in kept:
            s.sendall(b"bye")
            s.close()
        say("closed")`,
  );
  const client = network.talk(
    "container",
    `
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
sockets = [socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60) for _ in range(10000)]
say("open", len(sockets))
sys.stdin.readline()
say("answers", sum(receive_all(s) == b"bye" for s in sockets))`,
    GATEWAY_4,
    server.port,
  );
  await client.expect("open 10000\n");
  server.session.type("close\n");
  await server.session.expect("closed\n");
  client.type("\n");
  await client.expect("answers 10000\n");
  await client.finish();
});

test.each([
  [HOST_4, "24"],
  [HOST_6, "64"],
])("the host's address %s goes away, and comes back", async (address, length) => {
  network = await PrivateNetwork.start();
  const server = await network.serve("host", HASHING.replace("127.0.0.1", address.includes(":") ? "::" : "0.0.0.0"));
  const ask = () => network?.run("container", CONNECT_AND_SAY, address, server.port);
  const change = (word: string) => network?.command("host", ["ip", "addr", word, `${address}/${length}`, "dev", "lo"]);
  expect(await ask()).toMatchObject({ output: "64\n" });
  await change("del");
  expect(await ask()).toMatchObject({ output: "ENETUNREACH\n" });
  await change("add");
  expect(await ask()).toMatchObject({ output: "64\n" });
});

test("the stack ends when its device is deleted", async () => {
  network = await PrivateNetwork.start();
  const { stackPid } = network;
  await network.command("container", ["ip", "link", "delete", "tap0"]);
  await eventually(
    () => !isRunning(stackPid),
    () => "the stack to end",
  );
});

function isRunning(pid: number): boolean {
  try {
    // A zombie waits for us.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
