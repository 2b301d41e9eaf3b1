/* What can be asked of networks and of places on them besides addresses, as Docker and Podman have it. */
import { describe, expect } from "bun:test";
import { connect } from "node:net";
import { askFromHost, freePort, resolveOnHost, serveOnHost } from "./host-side.ts";
import { ask, lookUp, networkSuite, SERVE } from "./network-suite.ts";

const { suite, bunker, refused, start, inside, scenario } = networkSuite();

const ENDPOINT = "com.docker.network.endpoint.";

describe("a device", () => {
  scenario("is called as its network or its place says, and behaves so, also when it is started again", async () => {
    await bunker("network", "create", "-o", "com.docker.network.container_iface_prefix=web", "one");
    for (const name of ["two", "three"]) await bunker("network", "create", name);
    const parameters = `${ENDPOINT}sysctls=net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.neigh.IFNAME.gc_stale_time=77`;
    await start("box", [
      ...["--network", "one"],
      ...["--network", `name=two,driver-opt=${ENDPOINT}ifname=eth2,"driver-opt=${parameters}"`],
      ...["--network", "three:interface_name=v.p-n"],
    ]);
    const devices = "ls /sys/class/net; cd /proc/sys/net; cat ipv4/conf/*/log_martians ipv6/neigh/eth2/gc_stale_time";
    // The files of all, default, eth2, lo, v.p-n and web0.
    const shown = "eth2\nlo\nv.p-n\nweb0\n0\n0\n1\n0\n0\n0\n77\n";
    expect(await inside("box", devices)).toBe(shown);
    await bunker("restart", "-t", "0", "box");
    expect(await inside("box", devices)).toBe(shown);
    // Numbers go on beside names that are taken.
    await bunker("network", "disconnect", "one", "box");
    for (const name of ["four", "five"]) {
      await bunker("network", "create", name);
      await bunker("network", "connect", name, "box");
    }
    expect(await inside("box", "ls /sys/class/net")).toBe("eth0\neth2\neth3\nlo\nv.p-n\n");
    const name = (value: string) => ["network", "connect", "--driver-opt", `${ENDPOINT}ifname=${value}`, "one", "box"];
    expect((await refused(...name("eth2"))).errors).toContain("the container has a device eth2 already");
    for (const wrong of ["", "a/b", "..", "lo", "all", "eth%d", "a".repeat(16)]) {
      expect((await refused(...name(wrong))).errors).toContain("a device's name has up to 15");
    }
    await bunker(...name("a".repeat(15)));
    expect(await inside("box", "cat /sys/class/net/aaaaaaaaaaaaaaa/mtu")).toBe("65520\n");
    const options = "{{json .NetworkSettings.Networks.one.DriverOpts}}";
    expect(await bunker("inspect", "box", "--format", options)).toBe(`{"${ENDPOINT}ifname":"aaaaaaaaaaaaaaa"}\n`);
    await bunker("network", "disconnect", "one", "box");
    const connect = ["network", "connect", "--driver-opt"];
    expect((await refused(...connect, `${ENDPOINT}color=red`, "one", "box")).errors).toContain(
      "the options of a place",
    );
    for (const wrong of ["net.ipv4.ip_forward=1", "net.ipv4.conf.eth0.log_martians=1", "net.ipv4.conf.IFNAME./x=1"]) {
      expect((await refused(...connect, `${ENDPOINT}sysctls=${wrong}`, "one", "box")).errors).toContain("of the form");
    }
    // What the kernel does not have is told, and the container is on the network no more than before.
    const unknown = await refused(...connect, `${ENDPOINT}sysctls=net.ipv4.conf.IFNAME.color=1`, "one", "box");
    expect(unknown.errors).toMatch(/set \/proc\/sys\/net\/ipv4\/conf\/web\d\/color to 1: ENOENT/);
    expect(await bunker("ps", "-f", "network=one", "-q")).toBe("");
  });
});

describe("a device that its container deletes", () => {
  scenario("ends its connections, gives the ports to the next network, and is told among the events", async () => {
    const ports = [await freePort(), await freePort()] as const;
    for (const name of ["one", "two"]) await bunker("network", "create", name);
    const published = ports.flatMap((port, index) => ["-p", `127.0.0.1:${port}:${80 + index}`]);
    const open = "{ echo open; exec sleep 1000000; } | nc -l -p 81";
    const networks = ["--network", "one", "--network", "two", "--cap-add", "net_admin"];
    await start("box", [...networks, ...published], `(${open}) & ${SERVE}`);
    let text = "";
    const ended = Promise.withResolvers<string>();
    // Until the program in the container listens, the client is reset.
    while (text === "") {
      const closed = Promise.withResolvers<void>();
      const socket = connect(ports[1], "127.0.0.1");
      socket.on("error", (error: NodeJS.ErrnoException) => {
        closed.resolve();
        if (text !== "") ended.resolve(error.code ?? "");
      });
      socket.on("close", () => closed.resolve());
      socket.on("data", (data) => {
        text += data.toString();
        closed.resolve();
      });
      await closed.promise;
    }
    expect(await inside("box", "ip link delete eth0; ls /sys/class/net")).toBe("eth1\nlo\n");
    expect(await ended.promise).toBe("ECONNRESET");
    expect(await askFromHost("127.0.0.1", ports[0])).toMatch(/^hello from \w{12}\n$/);
    expect(await lostDevices("box")).toEqual(["one"]);
    await bunker("network", "disconnect", "one", "box");
    await bunker("network", "connect", "one", "box");
    expect(await inside("box", "ls /sys/class/net")).toBe("eth0\neth1\nlo\n");

    await start("alone", ["--cap-add", "net_admin"]);
    expect(await inside("alone", "ip link delete eth0; ls /sys/class/net; echo still there >/proc/1/fd/1")).toBe(
      "lo\n",
    );
    expect(await lostDevices("alone")).toEqual(["bridge"]);
    expect(await bunker("logs", "alone")).toBe("still there\n");
    await bunker("restart", "-t", "0", "alone");
    expect(await inside("alone", "ls /sys/class/net")).toBe("eth0\nlo\n");
  });

  /** The networks whose devices a container has lost, as soon as there is one. */
  async function lostDevices(container: string): Promise<string[]> {
    const id = (await bunker("inspect", "--format", "{{.Id}}", container)).trim();
    const words = ["events", "--since", "10m", "--filter", "event=disconnect", "--filter", "type=network"];
    for (;;) {
      const shown = await bunker(
        ...words,
        "--until",
        `${Math.floor(Date.now() / 1000) + 1}`,
        "--format",
        "{{json .Actor}}",
      );
      const lost = shown
        .split("\n")
        .filter((line) => line.includes(id) && line.includes("the device is gone: EBADFD"))
        .map((line): string => JSON.parse(line).Attributes.name);
      if (lost.length > 0) return lost;
    }
  }
});

describe("routes of a network", () => {
  scenario("lead through a container, or outside where nothing else does", async () => {
    await using server = await serveOnHost("0.0.0.0");
    const [host = ""] = (await suite.user.execute(["hostname", "-I"])).output.split(" ");
    await bunker(
      ...["network", "create", "--subnet", "10.86.0.0/24", "--subnet", "fd86::/64", "-o", "no_default_route=true"],
      ...["--route", "10.99.0.0/16,10.86.0.2,7", "--route", "fd99::/32,fd86::2", "--route", `${host}/32,10.86.0.1`],
      "net",
    );
    await start(
      "router",
      ["--network", "net", "--cap-add", "NET_ADMIN", "--sysctl", "net.ipv4.ip_forward=1"],
      "ip addr add 10.99.1.1/32 dev lo; ip addr add fd99::1/128 dev lo; exec sleep 1000000",
    );
    await start("box", ["--network", "net"]);
    expect(await inside("box", "ip route | grep -v 'scope link'; ip -6 route | grep fd99")).toMatch(
      new RegExp(
        `^10\\.99\\.0\\.0/16 via 10\\.86\\.0\\.2 dev eth0 +metric 7 *\n${host} via 10\\.86\\.0\\.1 dev eth0 +metric 100 *\nfd99::/32 via fd86::2 dev eth0 +metric 100 `,
      ),
    );
    for (const far of ["10.99.1.1", "fd99::1"]) {
      expect(await inside("box", `until ping -c 1 -W 5 ${far} >/dev/null; do :; done; echo answered`)).toBe(
        "answered\n",
      );
    }
    expect(await inside("box", `nc ${host} ${server.port} </dev/null`)).toBe("hello from the host\n");
    expect(await inside("box", "ping -c 1 192.0.2.1 2>&1")).toContain("Network is unreachable");
    const shown = "{{range .Routes}}{{.Destination}} {{.Gateway}} {{.Metric}}\n{{end}}";
    expect(await bunker("network", "inspect", "net", "--format", shown)).toBe(
      `10.99.0.0/16 10.86.0.2 7\nfd99::/32 fd86::2 100\n${host}/32 10.86.0.1 100\n\n`,
    );
  });
});

describe("resolvers of a network", () => {
  scenario("are asked instead of the host's, by containers without their own, and can be changed", async () => {
    await using first = await resolveOnHost(() => "192.0.2.1");
    await using second = await resolveOnHost(() => "192.0.2.2");
    await bunker("network", "create", "--dns", first.address, "net");
    await bunker("network", "create", "plain");
    await start("box", ["--network", "net"]);
    await start("later", ["--network", "plain"]);
    await start("own", ["--network", "net", "--dns", first.address]);
    const answer = (container: string) => inside(container, lookUp("some.test"));
    expect(await answer("box")).toBe("192.0.2.1\n");
    await bunker("network", "connect", "net", "later");
    expect(await answer("later")).toBe("192.0.2.1\n");
    const servers = ["network", "inspect", "net", "--format", "{{json .NetworkDNSServers}}"];
    expect(await bunker(...servers)).toBe(`["${first.address}"]\n`);
    await bunker("network", "update", "--dns-drop", first.address, "--dns-add", second.address, "net");
    for (const container of ["box", "later"]) expect(await answer(container)).toBe("192.0.2.2\n");
    expect(await answer("own")).toBe("192.0.2.1\n");
    expect(await bunker(...servers)).toBe(`["${second.address}"]\n`);
    await bunker("restart", "-t", "0", "box");
    expect(await answer("box")).toBe("192.0.2.2\n");
    const update = (...options: string[]) => refused("network", "update", ...options);
    expect((await update("--dns-drop", "192.0.2.9", "net")).errors).toContain("no such resolver");
    expect((await update("--dns-add", "nobody", "net")).errors).toContain("expected IP addresses");
    expect((await update("--dns-add", "192.0.2.9", "bridge")).errors).toContain("no network that containers share");
    await bunker("network", "create", "--disable-dns", "mute");
    expect((await update("--dns-add", "192.0.2.9", "mute")).errors).toContain("--disable-dns");
  });
});

describe("a network", () => {
  scenario("may keep its containers from each other", async () => {
    await using server = await serveOnHost("0.0.0.0");
    const options = ["--subnet", "10.87.0.0/24", "--subnet", "fd87::/64"];
    await bunker("network", "create", ...options, "-o", "com.docker.network.bridge.enable_icc=false", "net");
    await start("alice", ["--network", "net", "-p", "127.0.0.1::80"], SERVE);
    await start("carol", ["--network", "net", "--cap-add", "NET_ADMIN"]);
    expect(await inside("carol", lookUp("alice"))).toBe("10.87.0.2\nfd87::2\n");
    for (const address of ["10.87.0.2", "fd87::2"]) {
      expect(await inside("carol", `nc -w 30 ${address} 80 </dev/null 2>&1`)).toContain("No route to host");
    }
    // Nor past the router.
    const mac = (await inside("alice", "cat /sys/class/net/eth0/address")).trim();
    const forced = `ip neigh add 10.87.0.2 lladdr ${mac} dev eth0; nc -w 1 10.87.0.2 80 </dev/null | grep hello`;
    expect(await inside("carol", `${forced}; echo done`)).toBe("done\n");
    expect(await inside("carol", `nc host.docker.internal ${server.port} </dev/null`)).toBe("hello from the host\n");
    const published = Number((await bunker("port", "alice", "80")).trim().split(":")[1]);
    expect(await askFromHost("127.0.0.1", published)).toContain("hello from");
  });

  scenario("may say at which address of the host ports are published", async () => {
    await bunker("network", "create", "-o", "com.docker.network.bridge.host_binding_ipv4=127.0.0.7", "--ipv6", "net");
    await start("box", ["--network", "net", "-p", "80", "-p", "127.0.0.8::81"]);
    expect(await bunker("port", "box")).toMatch(/^80\/tcp -> 127\.0\.0\.7:\d+\n81\/tcp -> 127\.0\.0\.8:\d+\n$/);
  });
});

describe("a link", () => {
  scenario("gives another container a further name, for one container alone", async () => {
    await bunker("network", "create", "--subnet", "10.88.0.0/24", "net");
    await start("db", ["--network", "net"]);
    const [id] = (await bunker("ps", "-q")).split("\n");
    await start("web", ["--network", "net", "--link", "db:Store", "--link", `${id}`, "--link", "db:store.two"]);
    await start("other", ["--network", "net"]);
    const names = ["store", "db", "store.two", "STORE."].map(lookUp).join(";");
    expect(await inside("web", names)).toBe("10.88.0.2\n".repeat(4));
    expect(await inside("other", "nslookup store.two")).toContain("can't");
    const links = "{{.NetworkSettings.Networks.net.Links}}";
    expect(await bunker("inspect", "web", "--format", links)).toBe(`[db:store db:${id} db:store.two]\n`);
    // It follows the name, and is known as long as the other one runs.
    await bunker("rm", "-f", "db");
    expect(await inside("web", "nslookup store.two")).toContain("can't");
    await start("db", ["--network", "net", "--ip", "10.88.0.77"], SERVE);
    expect(await inside("web", `${lookUp("store")}; ${ask("store")}`)).toStartWith("10.88.0.77\nhello from");
    await bunker("network", "disconnect", "net", "other");
    await bunker("network", "connect", "--link", "db:only", "net", "other");
    expect(await inside("other", lookUp("only"))).toBe("10.88.0.77\n");
    const run = (...options: string[]) => refused("run", "--rm", ...options, suite.image, "true");
    expect((await run("--link", "db")).errors).toContain("links are for containers on user defined networks only");
    expect((await run("--network", "net", "--link", "nobody:x")).errors).toContain("No such container: nobody");
    expect((await run("--network", "net", "--link", "db:a b")).errors).toContain("expected a name");
    expect((await run("--network", "net", "--link", "a:b:c")).errors).toContain("expected CONTAINER[:ALIAS]");
  });
});
