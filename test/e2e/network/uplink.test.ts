/*
 * The host's way to the world is lost and found again, with other addresses or with another route, while a container
 * talks to a host out there; and the container switches its own device off and on.
 */
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import type { PipedSession } from "../../unprivileged-user.ts";
import { GATEWAY_4, PrivateNetwork } from "./private-network.ts";

setDefaultTimeout(60_000);

const WORLD_4 = "198.18.0.1";
const WORLD_6 = "2001:db8:5::1";
const PORT = 4007;

type Action = "stream" | "new_stream" | "datagram" | "both";

let network: PrivateNetwork;
let world: PipedSession;

/** A host out there with two cables. It says to each who asks, over TCP and UDP, by which address it sees them. */
const WORLD = `
import ctypes
if ctypes.CDLL(None).unshare(0x40000000): sys.exit("no network namespace")
say("pid", os.getpid())
sys.stdin.readline()
for words in ["link set lo up", "addr add ${WORLD_4}/32 dev lo", "addr add ${WORLD_6}/128 dev lo",
    "addr add 198.19.0.1/24 dev cable0", "addr add 2001:db8:50::1/64 dev cable0 nodad", "link set cable0 up",
    "addr add 198.19.1.1/24 dev cable1", "addr add 2001:db8:51::1/64 dev cable1 nodad", "link set cable1 up"]:
    if os.system("ip " + words): sys.exit(words)
def stream(s, client):
    try:
        while s.recv(100): s.sendall(client[0].encode())
    except OSError: pass
    s.close()
def streams(l):
    while True: threading.Thread(target=stream, args=l.accept(), daemon=True).start()
def datagrams(u):
    while True:
        data, client = u.recvfrom(100)
        try: u.sendto(client[0].encode(), client)
        except OSError: pass
for address in ("${WORLD_4}", "${WORLD_6}"):
    l = listener(address, ${PORT})
    u = socket.socket(family(address), socket.SOCK_DGRAM)
    u.bind((address, ${PORT}))
    for work, s in ((streams, l), (datagrams, u)): threading.Thread(target=work, args=(s,), daemon=True).start()
say("ready")
for line in sys.stdin: say("did", os.system(line))`;

/**
 * Keeps a connection and a conversation open, does what it is told with them, and says what came of it: the addresses
 * by which it is seen, or the error's name.
 */
const TALK = `
address = sys.argv[1]
four = family(address) == socket.AF_INET
t = socket.create_connection((address, ${PORT}), timeout=60)
u = socket.socket(family(address), socket.SOCK_DGRAM)
u.setsockopt(0 if four else 41, 11 if four else 25, 1)
u.connect((address, ${PORT}))
u.settimeout(1)
def stream():
    t.sendall(b"?")
    return t.recv(100).decode()
def new_stream():
    with socket.create_connection((address, ${PORT}), timeout=60) as s:
        s.sendall(b"?")
        return s.recv(100).decode()
def datagram():
    # Lost ones are asked for again, as programs do.
    while True:
        try:
            u.send(b"?")
            return u.recv(100).decode()
        except TimeoutError: pass
def both(): return stream() + " " + datagram()
for line in sys.stdin:
    try: say("got", globals()[line.strip()]())
    except OSError as error: say("got", name(error))`;

/** What starts a program that talks, in the container or beside it on the host, and tells it what to do. */
function talk(where: "host" | "container", address: string) {
  const session = network.talk(where, TALK, address);
  return {
    tell: (what: Action) => session.type(`${what}\n`),
    answer: async () => (await session.expect(/got .*\n/)).trim().slice("got ".length),
    async ask(what: Action) {
      this.tell(what);
      return this.answer();
    },
  };
}

/** Runs commands of ip(8) on the host, all of which have to end well. */
async function onHost(...commands: string[]): Promise<void> {
  for (const command of commands) {
    const { status, errors } = await network.command("host", ["ip", ...command.split(" ")]);
    expect({ command, status, errors }).toEqual({ command, status: 0, errors: "" });
  }
}

const uplink = (number: 0 | 1) => [
  `addr replace 198.19.${number}.2/24 dev uplink${number}`,
  `addr replace 2001:db8:5${number}::2/64 dev uplink${number} nodad`,
  `link set uplink${number} up`,
];
const route = (number: 0 | 1) => [
  `route replace ${WORLD_4} via 198.19.${number}.1`,
  `-6 route replace ${WORLD_6} via 2001:db8:5${number}::1`,
];
const withoutUplink = (number: 0 | 1) => [
  `addr del 198.19.${number}.2/24 dev uplink${number}`,
  `addr del 2001:db8:5${number}::2/64 dev uplink${number}`,
  `-6 route del ${WORLD_6}`,
];

beforeEach(async () => {
  network = await PrivateNetwork.start();
  world = network.talk("host", WORLD);
  const pid = (await world.expect(/pid \d+\n/)).trim().split(" ")[1];
  for (const number of [0, 1]) await onHost(`link add uplink${number} type veth peer name cable${number} netns ${pid}`);
  world.type("\n");
  await world.expect("ready\n");
  await onHost(...uplink(0), ...route(0));
});

afterEach(async () => {
  await network[Symbol.asyncDispose]();
});

test("the uplink goes away, comes again, and gives way to another one", async () => {
  const versions = [
    { address: WORLD_4, first: "198.19.0.2", second: "198.19.1.2" },
    { address: WORLD_6, first: "2001:db8:50::2", second: "2001:db8:51::2" },
  ].map((version) => ({
    ...version,
    inside: talk("container", version.address),
    outside: talk("host", version.address),
  }));
  const both = (work: (version: (typeof versions)[number]) => Promise<void>) => Promise.all(versions.map(work));
  const other = await network.serve("host", 's, _ = listener("127.0.0.1").accept()\nwhile s.recv(1): s.sendall(b"!")');
  const open = `
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for line in sys.stdin:
    s.sendall(b"?")
    say("came", s.recv(1))`;
  const untouched = network.talk("container", open, GATEWAY_4, other.port);
  const othersGoOn = async () => {
    untouched.type("\n");
    await untouched.expect("came b'!'\n");
  };
  await both(async ({ inside, outside, first }) => {
    for (const one of [inside, outside]) expect(await one.ask("both")).toBe(`${first} ${first}`);
  });
  await othersGoOn();

  await onHost(...withoutUplink(0));
  await both(async ({ inside, outside }) => {
    for (const one of [inside, outside]) expect(await one.ask("new_stream")).toBe("ENETUNREACH");
    expect(await inside.ask("datagram")).toBe("ENETUNREACH");
    // What is on its way waits for the address to come back.
    inside.tell("stream");
  });
  await othersGoOn();
  await onHost(...uplink(0), ...route(0));
  await both(async ({ inside, first }) => {
    expect(await inside.answer()).toBe(first);
    expect(await inside.ask("both")).toBe(`${first} ${first}`);
  });

  await network.command("host", ["sh", "-c", "echo 1 >/proc/sys/net/ipv4/tcp_retries2"]);
  await onHost(...withoutUplink(0), ...uplink(1), ...route(1));
  await both(async ({ inside, outside, second }) => {
    expect(await inside.ask("datagram")).toBe(second);
    expect(await inside.ask("new_stream")).toBe(second);
    // The host's kernel gives up; to a program whose data was acknowledged, that can only be said by a reset.
    for (const one of [inside, outside]) one.tell("stream");
    expect(await outside.answer()).toBe("ETIMEDOUT");
    expect(await inside.answer()).toBe("ECONNRESET");
  });

  // Another way, while the address of the present one stays but is of no use any more.
  await onHost(...uplink(0), ...route(0));
  world.type("ip addr flush dev cable1\n");
  await world.expect("did 0\n");
  await both(async ({ inside, first }) => {
    expect(await inside.ask("datagram")).toBe(first);
    expect(await inside.ask("new_stream")).toBe(first);
  });
  await othersGoOn();
});

test("the container switches its device off and on again", async () => {
  const server = await network.serve("host", `l = listener("127.0.0.1")\nwhile True: l.accept()[0].sendall(b"hello")`);
  const ask = `
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=60) as s: say(s.recv(5))`;
  expect(await network.run("container", ask, GATEWAY_4, server.port)).toMatchObject({ output: "b'hello'\n" });
  await network.publish("udp", 8091, 8091);
  const knock = `
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("127.0.0.1", 8091))
s.send(b"x")`;
  for (const command of ["link set tap0 down", "link set tap0 up", "route add default via 10.0.2.2"]) {
    expect(await network.command("container", ["ip", ...command.split(" ")])).toMatchObject({ status: 0 });
    // The device refuses what comes while it is off.
    await network.run("host", knock);
    // The stack has seen the knock before the answer of its API.
    if (command.endsWith("down")) await network.ask({ execute: "list_hostfwd" });
  }
  expect(await network.run("container", ask, GATEWAY_4, server.port)).toMatchObject({ output: "b'hello'\n" });
});
