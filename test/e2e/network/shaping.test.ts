/* `--net-rate`, `--net-delay` and `--net-loss`. */
import { describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { containerSuite } from "../run/suite.ts";
import { EACH_KIND, echoOnHost, PYTHON } from "./host-side.ts";

const suite = containerSuite();
const LOOPBACK = ["--network", "slirp:allow_host_loopback=true"];
const SIZE = 1_200_000;

/** TCP loses nothing; of 400 datagrams some come back. */
const LOSING = `
def use(s):
    if s.type == socket.SOCK_STREAM:
        s.sendall(bytes(100000))
        left = 100000
        while left > 0: left -= len(s.recv(65536))
        return "whole"
    for number in range(400): s.send(b"%d" % number)
    s.settimeout(1)
    back = 0
    try:
        while True:
            s.recv(10)
            back += 1
    except TimeoutError: return back`;

/** Serves so many bytes, and counts those that come; says how many milliseconds passed until all was there. */
async function exchange(
  options: readonly string[],
  script: (port: number) => string,
): Promise<{ time: number; output: string }> {
  const server = createServer((socket) => socket.resume().end(Buffer.alloc(SIZE)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  try {
    const timed = `began=$(cut -d' ' -f1 /proc/uptime); ${script(port)}; echo $began $(cut -d' ' -f1 /proc/uptime)`;
    const output = (await suite.inside([...LOOPBACK, ...options], timed)).trim().split("\n");
    const [began = 0, ended = 0] = (output.at(-1) ?? "").split(" ").map(Number);
    return { time: (ended - began) * 1000, output: output.slice(0, -1).join("\n") };
  } finally {
    server.close();
  }
}

describe("what a container gets and sends", () => {
  test("is not faster than its rate", async () => {
    // A million bytes a second; what is worth 60 ms may be saved up, and a frame may be owed.
    const least = ((SIZE - 60_000 - 65_536) / 1_000_000) * 1000 - 20;
    const got = await exchange(["--net-rate", "8mbit"], (port) => `nc 10.0.2.2 ${port} </dev/null | wc -c`);
    expect(got.output).toBe(String(SIZE));
    expect(got.time).toBeGreaterThan(least);
    const send = (port: number) => `head -c ${SIZE} /dev/zero | nc 10.0.2.2 ${port} | wc -c`;
    const sent = await exchange(["--net-rate", "8mbit"], send);
    expect(sent.output).toBe(String(SIZE));
    expect(sent.time).toBeGreaterThan(least);
  });

  test("is at no time more than its rate permits until then, TCP and UDP, also where that is low", async () => {
    const flood = (count: number, size: number) => `
import socket, threading
data = bytes(${size})
t = socket.create_server(("127.0.0.1", 0))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(t.getsockname())
print(t.getsockname()[1], flush=True)
def stream():
    while True:
        with t.accept()[0] as s: s.sendall(data * ${count})
threading.Thread(target=stream, daemon=True).start()
while True:
    _, client = u.recvfrom(10)
    for _ in range(${count}): u.sendto(data, client)`;
    const program = (port: number, rate: number) => `
import socket, time
for name, kind in (("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)):
    began = time.monotonic()
    s = socket.socket(socket.AF_INET, kind)
    s.connect(("10.0.2.2", ${port}))
    if name == "udp":
        s.send(b"?")
        s.settimeout(2)
    came, most = 0, 0
    try:
        while part := s.recv(65536):
            came += len(part)
            most = max(most, came - (time.monotonic() - began) * ${rate})
    except TimeoutError: pass
    print(name, came, int(most), flush=True)`;
    for (const [option, rate, count] of [
      ["8mbit", 1_000_000, 500],
      ["128kbit", 16_000, 20],
    ] as const) {
      const server = Bun.spawn(["python3", "-c", flood(count, 1200)], { stdout: "pipe" });
      try {
        const { value } = await server.stdout.getReader().read();
        const port = Number(Buffer.from(value ?? []).toString());
        const options = [...LOOPBACK, "--net-rate", option, ...PYTHON, program(port, rate)];
        const { output, errors } = await suite.user.run(options);
        expect(errors).toBe("");
        const [tcp = [], udp = []] = output.split("\n").map((line) => line.split(" "));
        const saved = Math.max(rate * 0.06, 6_000);
        expect(tcp.slice(0, 2)).toEqual(["tcp", String(count * 1200)]);
        expect(Number(tcp[2])).toBeLessThanOrEqual(saved + 1_460);
        expect(Number(udp[1])).toBeGreaterThan(0);
        expect(Number(udp[2])).toBeLessThanOrEqual(saved + 1_200);
      } finally {
        server.kill();
        await server.exited;
      }
    }
  });

  test("is held back, and lost", async () => {
    const answer = await suite.inside(["--net-delay", "150ms"], "ping -c 1 -W 30 10.0.2.2 | grep -o 'time=[0-9.]*'");
    expect(Number(answer.trim().slice("time=".length))).toBeGreaterThanOrEqual(150);
    const lost = await suite.inside(["--net-loss", "100%"], "ping -c 2 -W 1 10.0.2.2; true");
    expect(lost).toContain("0 packets received");
    const some = await exchange(
      ["--net-loss", "5", "--net-delay", "1ms"],
      (port) => `nc 10.0.2.2 ${port} </dev/null | wc -c`,
    );
    expect(some.output).toBe(String(SIZE));
  });

  test("is shaped over TCP and UDP, IPv4 and IPv6", async () => {
    await using server = await echoOnHost();
    const network = ["--network", "slirp:allow_host_loopback=true,enable_ipv6=true"];
    const times = async (options: readonly string[], use: string) => {
      const program = `${EACH_KIND}${use}\neach("10.0.2.2", "fd00::2", ${server.port}, use)`;
      const { output, errors } = await suite.user.run([...network, ...options, ...PYTHON, program]);
      expect(errors).toBe("");
      return output
        .trim()
        .split("\n")
        .map((line) => line.split(" "));
    };
    const kinds = ["tcp", "udp", "tcp", "udp"];
    const exchanges = (count: number, size: number) => `
def use(s):
    if s.type == socket.SOCK_DGRAM: s.recv(10)
    began = time.monotonic()
    for _ in range(${count}):
        s.sendall(bytes(${size}))
        left = ${size}
        while left > 0: left -= len(s.recv(65536))
    return time.monotonic() - began`;
    const delayed = await times(["--net-delay", "120ms"], exchanges(1, 1));
    expect(delayed.map(([kind]) => kind)).toEqual(kinds);
    for (const [, seconds] of delayed) expect(Number(seconds)).toBeGreaterThanOrEqual(0.12);
    // 400 000 bytes each way, of which what is worth 60 ms was saved up and a frame may be owed.
    const limited = await times(["--net-rate", "8mbit"], exchanges(40, 10_000));
    expect(limited.map(([kind]) => kind)).toEqual(kinds);
    for (const [, seconds] of limited) expect(Number(seconds)).toBeGreaterThan(0.4 - 0.06 - 0.066 - 0.02);
    const some = await times(["--net-loss", "5%"], LOSING);
    expect(
      some.map(([kind, what]) => `${kind} ${kind === "tcp" ? what : Number(what) > 0 && Number(what) < 400}`),
    ).toEqual(["tcp whole", "udp true", "tcp whole", "udp true"]);
  });

  test("is shaped on networks that are shared as well", async () => {
    const { user, image } = suite;
    await user.bunker(["network", "create", "net"]);
    try {
      await user.bunker(["run", "-d", "--name", "peer", "--network", "net", image, "sleep", "1000000"]);
      const options = ["--network", "net", "--net-delay", "150ms"];
      const answer = await suite.inside(options, "ping -c 1 -W 30 peer | grep -o 'time=[0-9.]*'");
      expect(Number(answer.trim().slice("time=".length))).toBeGreaterThanOrEqual(150);
    } finally {
      await user.bunker(["rm", "-f", "peer"]);
      await user.bunker(["network", "rm", "net"]);
    }
  });

  test.each([
    [["--net-rate", "0"], "that is nothing at all"],
    [["--net-rate", "fast"], "expected bytes"],
    [["--net-delay", "2m"], "a minute is the most"],
    [["--net-loss", "101%"], "a percentage from 0 to 100"],
    [["--net-loss", "1", "--network", "none"], "and the network mode"],
  ])("cannot be %j", async (options, message) => {
    const { status, errors } = await suite.user.run([...options, suite.image, "true"]);
    expect({ status, errors }).toEqual({ status: 125, errors: expect.stringContaining(message) });
  });
});
