/*
 * Bunker under the name slirp4netns: its command line, its descriptors, its API socket, and what it lets through.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, symlinkSync } from "node:fs";
import { UnprivilegedUser } from "../../unprivileged-user.ts";
import { DNS_4, GATEWAY_4, GATEWAY_6, HOST_4, HOST_6, PrivateNetwork } from "./private-network.ts";

setDefaultTimeout(60_000);

describe("the command line", () => {
  test.each([
    [[], /^Usage: slirp4netns/],
    [["--mtu=99999", "1"], /MTU must be a positive integer \(< 65522\)/],
    [["--cidr=1.2.3", "1"], /invalid CIDR: 1\.2\.3/],
    [["--cidr=10.0.2.1/24", "1"], /network address like 10\.0\.2\.0\/24/],
    [["--zork"], /zork/],
    [["nonsense"], /PID must be a positive integer/],
    [["--netns-type=what", "1"], /--netns-type must be either pid or path/],
    [["--netns-type=path", "/nowhere"], /\/nowhere: ENOENT/],
    [["--target-type=bess", "/x"], /--target-type must be either netns/],
    [["--macaddress=02:00:00:00:00:01", "1"], /only|configure/],
  ])("%j is refused", async (words, message) => {
    using user = new UnprivilegedUser();
    symlinkSync("bunker", `${user.directory}/slirp4netns`);
    const outcome = await user.execute([`${user.directory}/slirp4netns`, ...words]);
    expect(outcome).toMatchObject({ status: 1, output: "", errors: expect.stringMatching(message) });
  });

  test("the version is that of the program it stands for", async () => {
    using user = new UnprivilegedUser();
    symlinkSync("bunker", `${user.directory}/slirp4netns`);
    const { output } = await user.execute([`${user.directory}/slirp4netns`, "--version"]);
    expect(output).toMatch(/^slirp4netns version 1\.2\.0\n/);
  });
});

const SERVE = `
s, _ = listener("127.0.0.1").accept()
s.close()`;
const CONNECT = `
s = socket.socket(family(sys.argv[1]))
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
    say("connected")
except OSError as error: say(name(error))`;

test("the process that serves is the one that was started, has its name, and says how it is configured", async () => {
  const target = Bun.spawn(["unshare", "-Urn", "sh", "-c", "echo ready; exec sleep infinity"], { stdout: "pipe" });
  await target.stdout.getReader().read();
  using user = new UnprivilegedUser();
  symlinkSync("bunker", `${user.directory}/slirp4netns`);
  const words = ["--configure", "--cidr=10.9.0.0/16", "--ready-fd=2", String(target.pid), "tap7"];
  const stack = Bun.spawn([`${user.directory}/slirp4netns`, ...words], { stdout: "pipe", stderr: "pipe" });
  try {
    const { value } = await stack.stderr.getReader().read();
    expect(new TextDecoder().decode(value)).toBe("1");
    expect(readFileSync(`/proc/${stack.pid}/comm`, "utf8")).toBe("slirp4netns\n");
  } finally {
    for (const process of [stack, target]) process.kill("SIGKILL");
    await Promise.all([stack.exited, target.exited]);
  }
  expect(await new Response(stack.stdout).text()).toMatch(/^Starting slirp\n.*\* Network: +10\.9\.0\.0\n/s);
});

test("namespaces are named by their paths, and the stack ends with its exit descriptor", async () => {
  using user = new UnprivilegedUser();
  symlinkSync("bunker", `${user.directory}/slirp4netns`);
  const target = user.start(["unshare", "-Urn", "sh", "-c", "echo ready; exec sleep infinity"]);
  try {
    await target.stdout.getReader().read();
    const network = `/proc/${target.pid}/ns/net`;
    const start = (...words: string[]) =>
      user.talk([
        ...["sh", "-c", 'exec "$@" 3<&0 4>&1', "sh", `${user.directory}/slirp4netns`],
        ...["-c", "-e", "3", "-r", "4", "--netns-type=path", ...words],
      ]);
    // The network's own user namespace has to be joined first, and a path does not say which one that is.
    const refused = await start(network, "tap5").finish();
    expect(refused).toMatchObject({ status: 1, errors: expect.stringMatching(/namespace.*EPERM/) });
    const options = [`--userns-path=/proc/${target.pid}/ns/user`, "--macaddress=02:00:00:00:00:09"];
    const stack = start(...options, network, "tap5");
    await stack.expect("1");
    const inside = ["nsenter", `--target=${target.pid}`, "-U", "-n", "--preserve-credentials"];
    const { output } = await user.execute([...inside, "ip", "address", "show", "dev", "tap5"]);
    expect(output).toContain("link/ether 02:00:00:00:00:09");
    expect(output).toContain("inet 10.0.2.100/24");
    expect(output).not.toContain("inet6 fd00:");
    expect(await stack.finish()).toMatchObject({ status: 0, errors: "" });
    // Or with its device, of which it tells.
    const again = start(...options, network, "tap6");
    await again.expect("1");
    await user.execute([...inside, "ip", "link", "delete", "tap6"]);
    await again.process.exited;
    expect(await again.finish()).toMatchObject({ errors: "the device tap6 is gone: EBADFD\n" });
  } finally {
    target.kill("SIGKILL");
    await target.exited;
  }
});

test.each([
  ["--outbound-addr=192.0.2.8", HOST_4, "192.0.2.8"],
  ["--outbound-addr6=2001:db8::8", HOST_6, "2001:db8::8"],
])("with %s all that goes out comes from there", async (option, called, seen) => {
  await using network = await PrivateNetwork.start([option]);
  const prefix = seen.includes(":") ? "/64" : "/24";
  await network.command("host", [
    "ip",
    "addr",
    "add",
    `${seen}${prefix}`,
    "dev",
    "lo",
    ...(prefix === "/64" ? ["nodad"] : []),
  ]);
  const server = await network.serve(
    "host",
    `
l = listener("${called}")
u = socket.socket(family("${called}"), socket.SOCK_DGRAM)
u.bind(l.getsockname()[:2])
say("tcp", l.accept()[1][0])
say("udp", u.recvfrom(10)[1][0])`,
  );
  const program = `
socket.create_connection((sys.argv[1], int(sys.argv[2])))
socket.socket(family(sys.argv[1]), socket.SOCK_DGRAM).sendto(b"x", (sys.argv[1], int(sys.argv[2])))`;
  expect(await network.run("container", program, called, server.port)).toMatchObject({ status: 0, errors: "" });
  expect((await server.session.finish()).output).toContain(`tcp ${seen}\nudp ${seen}\n`);
});

test("the host's loopback is out of reach with --disable-host-loopback, by all of its names", async () => {
  await using network = await PrivateNetwork.start(["--disable-host-loopback", "--cidr=10.9.0.0/16", "--mtu=1500"]);
  const server = await network.serve("host", SERVE);
  const refused = { output: "ECONNREFUSED\n" };
  expect(await network.run("container", CONNECT, "10.9.0.2", server.port)).toMatchObject(refused);
  expect(await network.run("container", CONNECT, GATEWAY_6, server.port)).toMatchObject(refused);
  // As only a program with a raw socket can: to 127/8, to the unspecified address.
  const program = `
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
raw.bind(("tap0", 0))
def checksum(data):
    if len(data) % 2: data += bytes(1)
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
def syn(destination):
    source = socket.inet_aton("10.9.0.100")
    target = socket.inet_aton(destination)
    tcp = struct.pack(">HHIIBBHHH", 40000, int(sys.argv[1]), 1, 0, 0x50, 2, 1000, 0, 0)
    tcp = tcp[:16] + struct.pack(">H", checksum(source + target + struct.pack(">HH", 6, 20) + tcp)) + tcp[18:]
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, source, target)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return bytes.fromhex("52550a000202020000000001") + bytes.fromhex("0800") + ip + tcp
raw.settimeout(20)
for destination in ["127.0.0.1", "127.0.0.7", "0.0.0.0"]: raw.send(syn(destination))
# The last one is answered, and so the others have been handled.
raw.send(syn("10.9.0.2"))
while True:
    frame = raw.recv(2000)
    if frame[12:14] == b"\\x08\\x00" and frame[23] == 6 and frame[0:6] != bytes.fromhex("52550a000202"):
        say(socket.inet_ntoa(frame[26:30]), hex(frame[47]))
        break`;
  expect(await network.run("container", program, server.port)).toMatchObject({ output: "10.9.0.2 0x14\n", errors: "" });
  expect(await network.run("host", CONNECT, "127.0.0.1", server.port)).toMatchObject({ output: "connected\n" });
  await server.session.finish();
});

const NAME_SERVER = `
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.66", 53))
say("port 53")
question, client = s.recvfrom(512)
s.sendto(question[:2] + bytes([0x81, 0x80]) + question[4:] + b"by 127.0.0.66", client)`;
const ASK = `
question = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\\x03foo\\x00\\x00\\x01\\x00\\x01"
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.sendto(question, ("${DNS_4}", 53))
say(s.recv(512)[len(question):].decode())`;

test("in the sandbox no thread has a file, a right or a system call that it does not need, and all works", async () => {
  await using network = await PrivateNetwork.start(["--enable-sandbox", "--enable-seccomp"]);
  const ofStack = `/proc/${network.stackPid}`;
  expect(readFileSync(`${ofStack}/comm`, "utf8")).toBe("slirp4netns\n");
  for (const thread of readdirSync(`${ofStack}/task`)) {
    const status = readFileSync(`${ofStack}/task/${thread}/status`, "utf8");
    expect(status).toMatch(/^CapPrm:\t0000000000000400\nCapEff:\t0000000000000400\nCapBnd:\t0000000000000400$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1\nSeccomp:\t2$/m);
    expect(readdirSync(`${ofStack}/task/${thread}/root`)).not.toContain("proc");
  }
  expect(readdirSync(`${ofStack}/root`)).toContain("etc");
  const mounts = readFileSync(`${ofStack}/mounts`, "utf8").trim().split("\n");
  expect(mounts.filter((line) => !line.includes(" ro,nosuid,nodev,noexec"))).toEqual([]);
  const server = await network.serve("host", SERVE);
  expect(await network.run("container", CONNECT, GATEWAY_4, server.port)).toMatchObject({ output: "connected\n" });
  await server.session.finish();
  await network.serve("host", NAME_SERVER);
  // The file is another one now.
  network.setResolvers("nameserver 127.0.0.66\n");
  expect(await network.run("container", ASK)).toMatchObject({ output: "by 127.0.0.66\n" });
  expect(await network.publish("tcp", 8071, 80)).toEqual({ return: { id: 1 } });
});

test("a user without rights in the host's namespaces has a sandbox, too", async () => {
  using user = new UnprivilegedUser();
  symlinkSync("bunker", `${user.directory}/slirp4netns`);
  const target = user.start(["unshare", "-Urn", "sh", "-c", "echo ready; exec sleep infinity"]);
  await target.stdout.getReader().read();
  const words = ["--enable-sandbox", "--enable-seccomp", "--ready-fd=1", String(target.pid)];
  const stack = user.start([`${user.directory}/slirp4netns`, ...words]);
  expect(await new Response(stack.stdout).text()).toEndWith("1");
  expect(readdirSync(`/proc/${stack.pid}/root`)).toContain("etc");
  expect(readFileSync(`/proc/${stack.pid}/status`, "utf8")).toMatch(/^CapPrm:\t0+\nCapEff:\t0+\nCapBnd:\t0+$/m);
  stack.kill();
  target.kill();
  await Promise.all([stack.exited, target.exited]);
});

describe("the API", () => {
  test("adds, lists and removes forwarded ports, and answers mistakes", async () => {
    await using network = await PrivateNetwork.start();
    expect(await network.publish("tcp", 8061, 80)).toEqual({ return: { id: 1 } });
    expect(await network.publish("udp", 8061, 81, "127.0.0.1")).toEqual({ return: { id: 2 } });
    expect(await network.ask({ execute: "list_hostfwd" })).toEqual({
      return: {
        entries: [
          { id: 1, proto: "tcp", host_addr: "0.0.0.0", host_port: 8061, guest_addr: "10.0.2.100", guest_port: 80 },
          { id: 2, proto: "udp", host_addr: "127.0.0.1", host_port: 8061, guest_addr: "10.0.2.100", guest_port: 81 },
        ],
      },
    });
    expect(await network.ask({ execute: "remove_hostfwd", arguments: { id: 1 } })).toEqual({ return: {} });
    expect(await network.run("host", CONNECT, "127.0.0.1", 8061)).toMatchObject({ output: "ECONNREFUSED\n" });
    const error = (text: RegExp) => ({ error: { desc: expect.stringMatching(text) } });
    expect(await network.ask({ execute: "remove_hostfwd", arguments: { id: 1 } })).toEqual(error(/bad arguments.id/));
    expect(await network.publish("udp", 8061, 81)).toEqual(error(/EADDRINUSE/));
    expect(await network.publish("sctp", 8062, 81)).toEqual(error(/bad arguments.proto/));
    expect(await network.publish("tcp", 8063, 81, "nonsense")).toEqual(error(/bad arguments.host_addr/));
    expect(await network.ask({ execute: "what" })).toEqual(error(/unknown execute/));
    expect(await network.ask("{")).toEqual(error(/cannot parse JSON/));
    expect(await network.ask("x".repeat(5000))).toEqual(error(/too large/));
    // Of IPv6, by the protocol or the address.
    const server = await network.serve(
      "container",
      'listener("::", 81)\nl = listener("::", 82)\nl.accept()\nsay("came")',
    );
    expect(await network.publish("tcp", 8064, server.port, "::1")).toEqual({ return: { id: 3 } });
    expect(await network.publish("tcp6", 8065, 82)).toEqual({ return: { id: 4 } });
    expect(await network.publish("tcp4", 8066, 82, "::1")).toEqual(error(/bad arguments.host_addr/));
    expect(await network.publish("udp6", 8066, 82, "127.0.0.1")).toEqual(error(/bad arguments.host_addr/));
    expect(await network.run("host", CONNECT, "::1", 8064)).toMatchObject({ output: "connected\n" });
    expect(await network.run("host", CONNECT, "::1", 8065)).toMatchObject({ output: "connected\n" });
    await server.session.expect("came");
    expect(await network.ask({ execute: "list_hostfwd" })).toMatchObject({
      return: {
        entries: [
          { id: 2 },
          { id: 3, proto: "tcp", host_addr: "::1", guest_addr: "fd00::100", guest_port: 81 },
          { id: 4, proto: "tcp6", host_addr: "::", guest_addr: "fd00::100", guest_port: 82 },
        ],
      },
    });
  });
});
