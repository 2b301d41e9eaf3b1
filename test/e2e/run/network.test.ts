/* A container's own network: what it reaches, its published ports, names and resolvers. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { askFromHost, freePort, type HostServer, PYTHON, serveOnHost } from "../network/host-side.ts";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();
const { check, inside } = suite;

let server: HostServer;
let port = 0;

beforeAll(async () => {
  server = await serveOnHost("127.0.0.1");
  port = server.port;
});

afterAll(() => server[Symbol.asyncDispose]());

describe("by default", () => {
  check([
    [[], "ip -4 -o addr show eth0 | tr -s ' ' | cut -d' ' -f4", "10.0.2.100/24\n"],
    [[], "ip route | head -1", /^default via 10\.0\.2\.2 dev eth0/],
    [[], "grep nameserver /etc/resolv.conf", "nameserver 10.0.2.3\n"],
    [["-h", "box"], "grep -w box /etc/hosts | head -1", "10.0.2.100\tbox\n"],
    [[], "ping -c 1 -W 5 10.0.2.2 >/dev/null && echo answered", "answered\n"],
    [["--network", "bridge"], "cat /sys/class/net/eth0/mtu", "65520\n"],
  ]);

  test("the host's loopback is out of reach, by whatever address", async () => {
    const script = `for a in 10.0.2.2 127.0.0.1 10.0.2.3; do nc -w 2 $a ${port} </dev/null 2>/dev/null || echo no; done`;
    expect(await inside([], script)).toBe("no\nno\nno\n");
  });
});

test("the host's loopback is reached by the gateway when it is allowed", async () => {
  const options = ["--network", "slirp:allow_host_loopback=true"];
  expect(await inside(options, `nc 10.0.2.2 ${port} </dev/null`)).toBe("hello from the host\n");
  expect(await inside(options, `nc host.docker.internal ${port} </dev/null`)).toBe("hello from the host\n");
});

test("the host's abstract sockets are out of reach, unless it is in the host's network", async () => {
  const name = `bunker-test-${crypto.randomUUID()}`;
  const listen = `import socket; s = socket.socket(socket.AF_UNIX); s.bind("\\0${name}"); s.listen(); print("ready", flush=True)\nwhile True: s.accept()`;
  const listener = Bun.spawn(["python3", "-c", listen], { stdout: "pipe" });
  try {
    await listener.stdout.getReader().read();
    const connect = `import socket, errno
try: socket.socket(socket.AF_UNIX).connect("\\0${name}"); print("connected")
except OSError as error: print(errno.errorcode[error.errno])`;
    for (const [network, expected] of [
      ["slirp:allow_host_loopback=true", "ECONNREFUSED\n"],
      ["none", "ECONNREFUSED\n"],
      ["host", "connected\n"],
    ] as const) {
      const outcome = await suite.user.run(["--network", network, ...PYTHON, connect]);
      expect({ network, ...outcome }).toEqual({ network, status: 0, output: expected, errors: "" });
    }
  } finally {
    listener.kill();
    await listener.exited;
  }
});

describe("options", () => {
  check([
    [
      ["--network", "slirp:mtu=1500,cidr=10.7.0.0/16"],
      "ip -4 -o addr show eth0 | tr -s ' ' | cut -d' ' -f4",
      "10.7.0.100/16\n",
    ],
    [["--network", "slirp:mtu=1500"], "cat /sys/class/net/eth0/mtu", "1500\n"],
    [["--network", "slirp:enable_ipv6=false"], "cat /proc/net/if_inet6 | grep -c ^fd; true", "0\n"],
    [["--network", "none"], "ls /sys/class/net", "lo\n"],
    [
      ["--dns", "192.0.2.53", "--dns", "2001:db8::53"],
      "grep nameserver /etc/resolv.conf",
      "nameserver 192.0.2.53\nnameserver 2001:db8::53\n",
    ],
    [
      ["--dns-search", "a.example", "--dns-search", "b.example"],
      "grep search /etc/resolv.conf",
      "search a.example b.example\n",
    ],
    [["--dns-option", "ndots:3"], "grep options /etc/resolv.conf", "options ndots:3\n"],
    [
      ["--add-host", "db:192.0.2.5", "--add-host", "six=[2001:db8::5]"],
      "grep -w -e db -e six /etc/hosts",
      "192.0.2.5\tdb\n2001:db8::5\tsix\n",
    ],
    [
      ["--network", "slirp:allow_host_loopback=true", "--add-host", "me:host-gateway"],
      "grep -w me /etc/hosts",
      "10.0.2.2\tme\n",
    ],
  ]);
});

describe("a published port", () => {
  const SERVE = 'while :; do echo "hello from the container" | nc -l -p 80 >/dev/null; done';

  test.each([["127.0.0.1"], ["::1"]])("leads into the container from %s", async (address) => {
    const hostPort = await freePort();
    // busybox's nc listens at all addresses of both versions.
    const container = suite.user.talkTo(["-p", `${hostPort}:80`, suite.image, "sh", "-c", SERVE]);
    expect(await askFromHost(address, hostPort)).toBe("hello from the container\n");
    container.process.kill("SIGKILL");
    await container.process.exited;
    await suite.user.bunker(["rm", "-f", ...(await containers())]);
  });

  test("is shown by ps and port, also one that was chosen", async () => {
    const options = ["--detach", "-p", "127.0.0.1::80", "-p", "127.0.0.1::53/udp", "-P", "--expose", "90-91"];
    const { output, errors } = await suite.user.run([...options, suite.image, "sleep", "1000"]);
    expect(errors).toBe("");
    const id = output.trim();
    const ports = (await suite.user.bunker(["port", id])).output;
    expect(ports.split("\n").filter((line) => !line.includes("[::]"))).toEqual([
      expect.stringMatching(/^53\/udp -> 127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^80\/tcp -> 127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^90\/tcp -> 0\.0\.0\.0:\d+$/),
      expect.stringMatching(/^91\/tcp -> 0\.0\.0\.0:\d+$/),
      "",
    ]);
    const [, chosen] = /80\/tcp -> (.*)/.exec(ports) ?? [];
    expect((await suite.user.bunker(["port", id, "80"])).output).toBe(`${chosen}\n`);
    expect(await suite.user.bunker(["port", id, "81/tcp"])).toMatchObject({ status: 1, output: "" });
    expect((await suite.user.bunker(["ps", "--format={{.Ports}}"])).output).toContain(`${chosen}->80/tcp, `);
    await suite.user.bunker(["rm", "-f", id]);
  });

  test("leads into a container that was started again, and is free when it has ended", async () => {
    const hostPort = await freePort();
    const words = ["run", "-d", "-p", `${hostPort}:80`, suite.image, "sh", "-c", SERVE];
    const id = (await suite.user.bunker(words)).output.trim();
    expect(await askFromHost("127.0.0.1", hostPort)).toBe("hello from the container\n");
    await suite.user.bunker(["restart", "-t", "0", id]);
    expect(await askFromHost("127.0.0.1", hostPort)).toBe("hello from the container\n");
    await suite.user.bunker(["stop", "-t", "0", id]);
    expect((await suite.user.bunker(["port", id])).output).toBe("");
    const again = createServer();
    await new Promise<void>((resolve, reject) => again.once("error", reject).listen(hostPort, resolve));
    await new Promise((resolve) => again.close(resolve));
    await suite.user.bunker(["rm", "-f", id]);
  });

  test("of a thousand leads into the container like any other", async () => {
    // Nobody else's address, so that all of its ports are free.
    const address = `127.${[1, 2, 3].map(() => 1 + Math.floor(Math.random() * 254)).join(".")}`;
    const publish = ["-p", `${address}:20000-20999:20000-20999`];
    const words = ["run", "-d", ...publish, suite.image, "sh", "-c", SERVE.replaceAll("80", "20777")];
    const id = (await suite.user.bunker(words)).output.trim();
    try {
      expect(await askFromHost(address, 20_777)).toBe("hello from the container\n");
      expect((await suite.user.bunker(["port", id])).output.split("\n")).toHaveLength(1001);
      expect((await suite.user.bunker(["ps", "--format", "{{.Ports}}"])).output).toBe(
        `${address}:20000-20999->20000-20999/tcp\n`,
      );
    } finally {
      await suite.user.bunker(["rm", "-f", id]);
    }
  });

  test("beyond what descriptors permit is told before the container starts", async () => {
    const words = [suite.user.bunkerPath, "run", "--rm", "-p", "127.0.0.1::1000-1999", suite.image, "echo", "started"];
    const limited = ["sh", "-c", 'ulimit -n 512; exec "$@"', "sh", ...words];
    const { status, output, errors } = await suite.user.execute(limited);
    expect({ status, output }).toEqual({ status: 125, output: "" });
    expect(errors).toMatch(/^bunker: bind tcp port 127\.0\.0\.1:0: EMFILE\nhint: .*ulimit -n\n$/);
  });

  test("in use is told before the container starts", async () => {
    const { status, errors } = await suite.user.run(["-p", `127.0.0.1:${port}:80`, suite.image, "echo", "started"]);
    expect({ status, errors }).toEqual({
      status: 125,
      errors: expect.stringMatching(new RegExp(`^bunker: bind tcp port 127\\.0\\.0\\.1:${port}: EADDRINUSE\nhint: `)),
    });
  });

  test("below 1024 is refused with what would permit it", async () => {
    const { status, errors, output } = await suite.user.run(["-p", "81:80", suite.image, "echo", "started"]);
    expect({ status, output }).toEqual({ status: 125, output: "" });
    expect(errors).toContain("sysctl net.ipv4.ip_unprivileged_port_start=81");
  });

  test("with the host's network is told to be none", async () => {
    const { status, errors } = await suite.user.run(["--network", "host", "-p", "8080:80", suite.image, "true"]);
    expect({ status, errors }).toEqual({
      status: 0,
      errors: "warning: no port is published with --network host\n",
    });
  });
});

/** The ids of all containers. */
async function containers(): Promise<string[]> {
  const { output } = await suite.user.bunker(["ps", "-aq"]);
  return output.split("\n").filter((id) => id !== "");
}

describe("a wrong value is refused:", () => {
  test.each([
    [["--network", "slrip"], "did you mean slirp?"],
    [["--network", "slirp:mtuu=1"], "did you mean mtu?"],
    [["--network", "slirp:mtu=70000"], "from 1280 to 65520"],
    [["--network", "slirp:cidr=10.0.0.0/30"], "at most 25"],
    [["-p", "70000:80"], "not a port from 1 to 65535"],
    [["-p", "90-80"], "the wrong way round"],
    [["-p", "8000-8002:80-81"], "not of the same length"],
    [["-p", "80:80/sctp"], "tcp or udp"],
    [["-p", "nowhere:80:80"], "not an IP address"],
    [["--dns", "example.org"], "expected an IP address"],
    [["--dns", "none", "--dns-option", "ndots:2"], "dns none and other settings"],
    [Array.from({ length: 2_000 }, (_, index) => `--allow-host=host-${index}.some-domain.example`), "2000 values"],
    [["--add-host", "name"], "expected NAME:ADDRESS"],
    [["--add-host", "name:nowhere"], "not an IP address"],
  ])("%j", async (options, message) => {
    const { status, errors } = await suite.user.run([...options, suite.image, "true"]);
    expect({ status, errors }).toEqual({ status: 125, errors: expect.stringContaining(message) });
  });
});
