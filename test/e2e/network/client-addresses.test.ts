/* Who a client of a published port is to the container: on a network of its own and on one that is shared. */
import { expect, test } from "bun:test";
import { containerSuite } from "../run/suite.ts";
import { PYTHON } from "./host-side.ts";
import { OwnHost } from "./own-host.ts";

const suite = containerSuite();
const FOUR = "192.0.2.7";
const SIX = "2001:db8::7";
const PORT = 8080;

/** Tells each client, over TCP and UDP, by which address and port it is seen. */
const SERVE = `
import socket, threading
t = socket.create_server(("::", ${PORT}), family=socket.AF_INET6, dualstack_ipv6=True)
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
u.bind(("::", ${PORT}))
def seen(client): return ("%s %d" % (client[0].removeprefix("::ffff:"), client[1])).encode()
def datagrams():
    while True:
        _, client = u.recvfrom(10)
        u.sendto(seen(client), client)
threading.Thread(target=datagrams, daemon=True).start()
while True:
    c, client = t.accept()
    c.sendall(seen(client))
    c.close()`;

/** Asks until the server is there; says its own port as "same". */
const ASK = `
import socket, sys
def ask(address, kind):
    while True:
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        s.settimeout(10)
        try:
            s.connect((address, ${PORT}))
            if kind == socket.SOCK_DGRAM: s.send(b"?")
            words = s.recv(100).decode().split()
            if words: return words[0], "same" if int(words[1]) == s.getsockname()[1] else words[1]
        except OSError: pass
for address in sys.argv[1:]:
    for name, kind in (("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)): print(name, address, *ask(address, kind), flush=True)`;

test("a client is seen by its own address, and the loopback's as the gateway", async () => {
  await using host = await OwnHost.start(suite.user, [FOUR, SIX], {});
  const bunker = async (...words: string[]) => {
    const { status, errors } = await host.bunker(words);
    expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
  };
  await bunker("network", "create", "--subnet", "10.66.0.0/24", "--subnet", "fd66::/64", "net");
  try {
    for (const [network, gateway4, gateway6] of [
      ["slirp:enable_ipv6=true", "10.0.2.2", "fd00::2"],
      ["net", "10.66.0.1", "fd66::1"],
    ] as const) {
      const ports = ["-p", `${PORT}:${PORT}`, "-p", `${PORT}:${PORT}/udp`];
      await bunker("run", "-d", "--name", "box", "--network", network, ...ports, ...PYTHON, SERVE);
      const { output, errors } = await host.execute(["python3", "-c", ASK, FOUR, SIX, "127.0.0.1", "::1"]);
      expect(errors).toBe("");
      const expected = [
        [FOUR, FOUR],
        [SIX, SIX],
        ["127.0.0.1", gateway4],
        ["::1", gateway6],
      ].flatMap(([called, seen]) => [`tcp ${called} ${seen} same`, `udp ${called} ${seen} same`]);
      expect(output.trim().split("\n")).toEqual(expected);
      await bunker("rm", "-f", "box");
    }
  } finally {
    await host.bunker(["rm", "-f", "box"]);
    await host.bunker(["network", "rm", "net"]);
  }
});
