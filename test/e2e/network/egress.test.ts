/* What a container may reach, and what it reaches: `--allow-host` and `network trace`. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { containerSuite } from "../run/suite.ts";
import { EACH_KIND, type HostResolver, type HostServer, PYTHON, resolveOnHost, serveOnHost } from "./host-side.ts";

const suite = containerSuite();
let resolver: HostResolver;
let server: HostServer;
let host = "";

beforeAll(async () => {
  server = await serveOnHost("0.0.0.0");
  host = (await Bun.$`hostname -I`.text()).split(" ").find((text) => text.includes(".")) ?? "";
  // Every name is the host.
  resolver = await resolveOnHost(() => host);
});

afterAll(async () => {
  await resolver[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** Runs a test with a network, which goes with its containers. */
async function withNetwork(work: () => Promise<void>): Promise<void> {
  await suite.user.bunker(["network", "create", "net"]);
  try {
    await work();
  } finally {
    const { output } = await suite.user.bunker(["ps", "-aq"]);
    const containers = output.split("\n").filter((id) => id !== "");
    if (containers.length > 0) await suite.user.bunker(["rm", "-f", ...containers]);
    await suite.user.bunker(["network", "rm", "net"]);
  }
}

describe("--allow-host", () => {
  test("leads to the hosts that are named, by their names, and to nothing else", () =>
    withNetwork(async () => {
      const connect = (to: string) => `nc -w 5 ${to} ${server.port} </dev/null 2>&1`;
      const script = [
        connect(host),
        "nslookup bad.test | grep -o NXDOMAIN | head -1",
        connect(host),
        connect("good.test"),
        // Its address is known now.
        connect(host),
        "nslookup any.below.test | grep -c NXDOMAIN",
      ];
      const options = [
        "--network",
        "net",
        "--dns",
        resolver.address,
        "--allow-host",
        "Good.test.",
        "--allow-host",
        "*.below.test",
      ];
      const output = await suite.inside(options, `${script.join("; ")}; true`);
      const refusal = `nc: can't connect to remote host (${host}): No route to host\n`;
      expect(output).toBe(`${refusal}NXDOMAIN\n${refusal}${"hello from the host\n".repeat(2)}0\n`);
      expect(resolver.asked).not.toContain("bad.test");
      expect(resolver.asked).toContain("any.below.test");
    }));

  test("leads to networks, also without a network that is shared; containers still reach each other", () =>
    withNetwork(async () => {
      const connect = `nc -w 5 ${host} ${server.port} </dev/null 2>&1; true`;
      expect(await suite.inside(["--allow-host", `${host}/32`], connect)).toBe("hello from the host\n");
      expect(await suite.inside(["--allow-host", "198.51.100.0/24"], connect)).toContain("No route to host");
      const serve = 'while :; do echo "hello" | nc -l -p 80 >/dev/null; done';
      await suite.user.bunker(["run", "-d", "--name", "peer", "--network", "net", suite.image, "sh", "-c", serve]);
      const options = ["--network", "net", "--allow-host", "nothing.test"];
      expect(await suite.inside(options, "until nc peer 80 </dev/null 2>/dev/null; do :; done")).toBe("hello\n");
    }));

  test("holds for TCP and UDP, IPv4 and IPv6", async () => {
    const program = `${EACH_KIND}\neach("192.0.2.99", "2001:db8::99", 9, lambda s: s.recv(10))`;
    const options = ["--network", "slirp:enable_ipv6=true", "--allow-host", "198.51.100.0/24"];
    const { output } = await suite.user.run([...options, ...PYTHON, program]);
    // As the kernel translates what RFC 1812 and RFC 4443 have a router say that is not to let something through.
    expect(output).toBe("tcp EHOSTUNREACH\nudp EHOSTUNREACH\ntcp EACCES\nudp EACCES\n");
  });

  test.each([
    [["--allow-host", "a b"], "expected a host's name"],
    [["--allow-host", "10.0.0.0/40"], "expected a host's name"],
    [["--allow-host", "example.org", "--network", "host"], "allow-host and the network mode"],
    [["--allow-host", "example.org", "--network", "none"], "allow-host and the network mode"],
  ])("%j is refused", async (options, message) => {
    const { status, errors } = await suite.user.run([...options, suite.image, "true"]);
    expect({ status, errors }).toEqual({ status: 125, errors: expect.stringContaining(message) });
  });
});

describe("network trace", () => {
  test("shows flows with their bytes and names, and ends with the container", () =>
    withNetwork(async () => {
      const holding = createServer((socket) => {
        socket.on("data", () => {});
        socket.write("x".repeat(1234));
      });
      await new Promise<void>((resolve) => holding.listen(0, "0.0.0.0", resolve));
      const address = holding.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      try {
        const talk = `(echo 12345; exec sleep 1000000) | nc good.test ${port}`;
        const options = ["--name", "box", "--network", "net", "--dns", resolver.address];
        await suite.user.bunker(["run", "-d", ...options, suite.image, "sh", "-c", talk]);
        const format = "{{.Protocol}} {{.Outside}} {{.Name}} {{.SentBytes}} {{.ReceivedBytes}} {{.State}}";
        const look = ["network", "trace", "--no-stream", "--format", format, "box"];
        const expected = `tcp ${host}:${port} good.test 6 1234 established\n`;
        for (;;) {
          const { output, errors } = await suite.user.bunker(look);
          expect(errors).toBe("");
          if (output === expected) break;
        }
        // What goes between containers, as either of them sees it.
        await suite.user.bunker([
          ...["run", "-d", "--name", "peer", "--network", "net", suite.image],
          ...["sh", "-c", "(printf 123; exec sleep 1000000) | nc -l -p 80"],
        ]);
        const listening = "until netstat -ltn | grep -q :80; do :; done";
        await suite.user.bunker(["exec", "peer", "sh", "-c", listening]);
        const ask = "(echo 1234567; exec sleep 1000000) | nc peer 80 >/dev/null";
        await suite.user.bunker(["exec", "-d", "box", "sh", "-c", ask]);
        const shown = async (name: string) =>
          (await suite.user.bunker([...look.slice(0, -1), name])).output.replaceAll(/^tcp [\d.:]+:\d+ /gm, "");
        for (;;) if ((await shown("box")).split("\n").includes("peer.net 8 3 established")) break;
        expect(await shown("peer")).toBe("box.net 3 8 established\n");
        const live = suite.user.talk([suite.user.bunkerPath, "network", "trace", "box"]);
        await live.expect(/good\.test +6B +1\.23kB/);
        await suite.user.bunker(["rm", "-f", "box"]);
        expect(await live.finish()).toMatchObject({ status: 0, errors: "" });
        expect(await suite.user.bunker(look)).toMatchObject({ status: 1 });
      } finally {
        holding.close();
      }
    }));
});
