/* Networks that users make, with containers on them that look each other up and talk. */
import { describe, expect } from "bun:test";
import { askFromHost, serveOnHost } from "./host-side.ts";
import { ask, lookUp, networkSuite, SERVE } from "./network-suite.ts";

const { suite, bunker, refused, start, inside, scenario } = networkSuite();

describe("containers on one network", () => {
  scenario("look each other up by their names, aliases, ids and host names, both ways", async () => {
    await bunker("network", "create", "--subnet", "10.77.0.0/24", "--subnet", "fd77::/64", "net");
    await start("one", ["--network", "net", "-h", "First", "--network-alias", "web"]);
    await start("two", ["--network", "net:alias=web"]);
    const both = "10.77.0.2\nfd77::2\n";
    for (const name of ["one", "ONE.", "first", "one.net"]) expect(await inside("two", lookUp(name))).toBe(both);
    expect(await inside("two", lookUp("$(nslookup 10.77.0.2 | sed -n 's/.*name = \\(.*\\)\\.net/\\1/p')"))).toBe(both);
    const web = (await inside("one", lookUp("web"))).split("\n").toSorted();
    expect(web).toEqual(["", "10.77.0.2", "10.77.0.3", "fd77::2", "fd77::3"]);
    expect(await inside("one", "nslookup fd77::3")).toContain("name = two.net");
    expect(await inside("one", "nslookup 10.77.0.99")).toContain("NXDOMAIN");
    // By TCP: a question of 21 bytes for the address of "two".
    const question = "printf '\\0\\025\\1\\2\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\3two\\0\\0\\1\\0\\1'";
    expect(await inside("one", `${question} | nc 10.77.0.1 53 | tail -c 4 | od -An -tu1`)).toMatch(
      /^ +10 +77 +0 +3\n$/,
    );
    expect(await inside("one", "cat /etc/resolv.conf")).toMatch(
      /^(search .*\n)?nameserver 10\.77\.0\.1\noptions ndots:0\n$/,
    );
    expect(await inside("one", "grep -i first /etc/hosts")).toBe("10.77.0.2\tFirst\nfd77::2\tFirst\n");
    // What changes is known at once.
    await bunker("rename", "two", "second");
    expect(await inside("one", lookUp("second"))).toBe("10.77.0.3\nfd77::3\n");
    expect(await inside("one", "nslookup two.net")).toContain("can't");
    await start("three", ["--network", "net"]);
    expect(await inside("one", lookUp("three"))).toBe("10.77.0.4\nfd77::4\n");
    await bunker("rm", "-f", "three");
    expect(await inside("one", "nslookup three.net")).toContain("can't");
  });

  scenario("exchange whatever they send, whole", async () => {
    for (const [name, mtu] of [
      ["large", "65520"],
      ["small", "1500"],
    ] as const) {
      await bunker("network", "create", "--ipv6", "-o", `com.docker.network.driver.mtu=${mtu}`, name);
      const serve = "mkdir /srv; head -c 20000000 /dev/urandom >/srv/data; exec httpd -f -p 80 -h /srv";
      await Promise.all(["one", "two"].map((member) => start(member, ["--network", name], serve)));
      const hash = (from: string) =>
        `until wget -q -O /got http://${from}/data 2>/dev/null; do :; done; sha256sum </got`;
      const fetched = await Promise.all([inside("one", hash("two")), inside("two", hash("one"))]);
      const sent = await Promise.all([inside("two", "sha256sum </srv/data"), inside("one", "sha256sum </srv/data")]);
      expect(fetched).toEqual(sent);
      // Datagrams in fragments, and echoes that are.
      expect(
        await bunker("run", "--rm", "--network", name, suite.image, "ping", "-c", "1", "-s", "9000", "one"),
      ).toContain("1 packets received");
      await bunker("rm", "-f", "one", "two");
    }
  });

  scenario("find everybody, however many start at once", async () => {
    await bunker("network", "create", "crowd");
    const names = Array.from({ length: 6 }, (_, index) => `c${index}`);
    await Promise.all(names.map((name) => start(name, ["--network", "crowd"])));
    const addresses = new Set<string>();
    for (const name of names) {
      const found = (await inside(name, names.map(lookUp).join(";"))).split("\n").filter((line) => line !== "");
      expect(found).toHaveLength(names.length);
      for (const address of found) addresses.add(address);
      expect(await inside(name, `ping -c 1 -W 30 ${names[0]} >/dev/null && echo answered`)).toBe("answered\n");
    }
    expect(addresses.size).toBe(names.length);
  });

  scenario("go on when one is killed with its supervisor, and meet it again when it is back", async () => {
    await bunker("network", "create", "net");
    await start("stays", ["--network", "net"]);
    await start("dies", ["--network", "net"], SERVE);
    expect(await inside("stays", ask("dies"))).toContain("hello from");
    const pid = (await bunker("inspect", "dies", "--format", "{{.State.Pid}}")).trim();
    const supervisor = (await suite.user.execute(["ps", "-o", "ppid=", "-p", pid])).output.trim();
    process.kill(Number(supervisor), "SIGKILL");
    const gone = "while nslookup dies.net >/dev/null 2>&1; do :; done; echo gone";
    expect(await inside("stays", gone)).toBe("gone\n");
    await start("new", ["--network", "net"], SERVE);
    expect(await inside("stays", ask("new"))).toContain("hello from");
    await bunker("start", "dies");
    expect(await inside("new", ask("dies"))).toContain("hello from");
    expect(await inside("stays", ask("dies"))).toContain("hello from");
  });

  scenario("leave nothing behind on a network when the command that makes them is killed at any time", async () => {
    await bunker("network", "create", "net");
    for (let delay = 0; delay < 120; delay += 8) {
      const words = [suite.user.bunkerPath, "run", "-d", "--network", "net", suite.image, "sleep", "1000000"];
      const { process: command } = suite.user.talk(words);
      await Bun.sleep(delay);
      command.kill("SIGKILL");
      await command.exited;
    }
    const ids = (await bunker("ps", "-aq")).split("\n").filter((id) => id !== "");
    if (ids.length > 0) await suite.user.bunker(["rm", "-f", ...ids]);
    // What one that was killed has begun is forgotten, and its address is free again.
    await start("next", ["--network", "net"]);
    expect(await bunker("inspect", "next", "--format", "{{.NetworkSettings.Networks.net.IPAddress}}")).toEndWith(
      ".2\n",
    );
    await bunker("rm", "-f", "next");
    await bunker("network", "rm", "net");
  });

  scenario("are on their networks again when their restart policy starts them", async () => {
    await bunker("network", "create", "net");
    await start("peer", ["--network", "net"], SERVE);
    // It asks once in each of its lives, and then ends.
    const script = `${ask("peer")}; echo "$(nslookup again | grep -c ^Name)" >>/lives; [ $(wc -l </lives) -gt 1 ] && exec sleep 1000000; exit 1`;
    await start("again", ["--network", "net", "--restart", "on-failure"], script);
    expect(await inside("peer", "until nslookup again.net >/dev/null 2>&1; do :; done; echo there")).toBe("there\n");
    for (;;) {
      const lives = await inside("again", "cat /lives");
      if (lives === "1\n1\n") break;
    }
    expect(await inside("peer", lookUp("again"))).toMatch(/^10\.\d+\.\d+\.3\n$/);
  });

  scenario("reach the outside, and are reached by published ports", async () => {
    await using server = await serveOnHost("0.0.0.0");
    const { port } = server;
    await bunker("network", "create", "net");
    await start("box", ["--network", "net", "-p", "127.0.0.1::80"], SERVE);
    expect(await inside("box", `nc host.docker.internal ${port} </dev/null`)).toBe("hello from the host\n");
    const host = (await inside("box", "sed -n 's/\thost.docker.internal.*//p' /etc/hosts")).trim();
    expect(await inside("box", lookUp("host.docker.internal"))).toBe(`${host}\n`);
    const published = Number((await bunker("port", "box", "80")).trim().split(":")[1]);
    expect(await askFromHost("127.0.0.1", published)).toContain("hello from");
    // The port follows the container to another network.
    await bunker("network", "create", "other");
    await bunker("network", "connect", "other", "box");
    await bunker("network", "disconnect", "net", "box");
    expect(await askFromHost("127.0.0.1", published)).toContain("hello from");
    expect(await inside("box", `nc host.docker.internal ${port} </dev/null`)).toBe("hello from the host\n");
  });
});

describe("networks", () => {
  scenario("do not reach each other, whoever routes", async () => {
    await bunker("network", "create", "--subnet", "10.78.1.0/24", "one");
    await bunker("network", "create", "--subnet", "10.78.2.0/24", "two");
    await start("alice", ["--network", "one"], SERVE);
    await start("bob", ["--network", "two"], SERVE);
    await start("carol", ["--network", "one"]);
    expect(await inside("carol", ask("alice"))).toContain("hello from");
    expect(await inside("carol", "nslookup bob.two")).toContain("can't");
    const tries = [
      "nc -w 1 10.78.2.2 80 </dev/null | grep hello",
      "ip route add 10.78.2.0/24 via 10.78.1.2; nc -w 1 10.78.2.2 80 </dev/null | grep hello",
      // A neighbor that is not there is not looked for outside.
      "nc -w 1 10.78.1.77 80 </dev/null | grep hello",
    ];
    expect(await inside("carol", `${tries.join("; ")}; echo done`)).toBe("done\n");
  });

  scenario("that are internal reach nothing outside", async () => {
    await using server = await serveOnHost("0.0.0.0");
    const { port } = server;
    await bunker("network", "create", "--internal", "--subnet", "10.79.0.0/24", "inner");
    await start("alice", ["--network", "inner"], SERVE);
    await start("carol", ["--network", "inner"]);
    expect(await inside("carol", ask("alice"))).toContain("hello from");
    expect(await inside("carol", "ip route")).not.toContain("default");
    expect(await inside("carol", "nslookup example.org")).toContain("NXDOMAIN");
    const [own = ""] = (await suite.user.execute(["hostname", "-I"])).output.split(" ");
    const forced = `ip route add default via 10.79.0.1; nc -w 2 ${own} ${port} </dev/null; echo done`;
    expect(await suite.user.bunker(["exec", "--privileged", "carol", "sh", "-c", forced])).toMatchObject({
      output: "done\n",
      errors: expect.stringContaining("No route to host"),
    });
    const { status, errors } = await suite.user.bunker([
      ...["run", "--rm", "--network", "inner", "-p", "8080:80"],
      ...[suite.image, "true"],
    ]);
    expect({ status, errors }).toEqual({
      status: 0,
      errors: "warning: no port is published with networks that lead nowhere outside\n",
    });
  });

  scenario("lead outside in the order of their priorities, also those that are joined later", async () => {
    for (const number of [1, 2, 3]) await bunker("network", "create", "--subnet", `10.83.${number}.0/24`, `n${number}`);
    const port = ["-p", "127.0.0.1::80"];
    await start("box", ["--network", "n1", "--network", "name=n2,gw-priority=5", ...port], "exec httpd -f -p 80");
    await start("own", port, "exec httpd -f -p 80");
    const routes = (container: string) =>
      inside(container, "ip route | sed -n 's/^default via \\([0-9.]*\\) .*/\\1/p'");
    /** The container's address at which what comes through its published port arrives, for the first time since it started. */
    const published = async (container: string) => {
      await inside(container, "until netstat -tln | grep -q ':80 '; do :; done");
      const [, hostPort] = /:(\d+)\n/.exec(await bunker("port", container, "80/tcp")) ?? [];
      using held = await Bun.connect({ hostname: "127.0.0.1", port: Number(hostPort), socket: { data: () => {} } });
      expect(held.remotePort).toBe(Number(hostPort));
      const arrived = "netstat -tn | sed -n 's/.*[ :]\\([0-9.]*\\):80 .*ESTABLISHED.*/\\1/p' | grep .";
      return await inside(container, `until ${arrived}; do :; done`);
    };
    expect(await routes("box")).toBe("10.83.2.1\n10.83.1.1\n");
    for (const container of ["box", "own"]) {
      await bunker("network", "connect", "--gw-priority", "9999", "n3", container);
      expect(await published(container)).toMatch(/^10\.83\.3\.\d+\n$/);
    }
    await bunker("network", "connect", "--gw-priority", "-1", "n2", "own");
    expect(await routes("own")).toBe("10.83.3.1\n10.0.2.2\n10.83.2.1\n");
    await bunker("restart", "-t", "0", "box");
    expect(await routes("box")).toBe("10.83.3.1\n10.83.2.1\n10.83.1.1\n");
    const shown = "{{range $name, $at := .NetworkSettings.Networks}}{{$name}} {{$at.GwPriority}}\n{{end}}";
    expect(await bunker("inspect", "box", "--format", shown)).toBe("n1 0\nn2 5\nn3 9999\n\n");
    await bunker("network", "disconnect", "n3", "box");
    expect(await published("box")).toMatch(/^10\.83\.2\.\d+\n$/);
    expect((await refused("network", "connect", "--gw-priority", "high", "n3", "box")).errors).toContain(
      "whole number",
    );
  });

  scenario("are joined and left while a container runs", async () => {
    await bunker("network", "create", "--subnet", "10.81.1.0/24", "one");
    await bunker("network", "create", "--subnet", "10.81.2.0/24", "two");
    await start("box", ["--network", "one", "-h", "box"]);
    await start("plain", []);
    await start("peer", ["--network", "two"], SERVE);
    await bunker("network", "connect", "--alias", "moved", "--ip", "10.81.2.50", "two", "box");
    await bunker("network", "connect", "two", "plain");
    expect(await inside("box", ask("peer"))).toContain("hello from");
    expect(await inside("plain", ask("peer"))).toContain("hello from");
    expect(await inside("plain", `${lookUp("moved")}; ls /sys/class/net`)).toBe("10.81.2.50\neth0\neth1\nlo\n");
    expect(await inside("box", "grep box /etc/hosts; ip route | grep default")).toBe(
      "10.81.1.2\tbox\n10.81.2.50\tbox\n" +
        "default via 10.81.1.1 dev eth0  metric 1000000 \ndefault via 10.81.2.1 dev eth1  metric 1000001 \n",
    );
    const shown =
      "{{range $name, $at := .NetworkSettings.Networks}}{{$name}} {{$at.IPAddress}} {{$at.Aliases}}\n{{end}}";
    expect(await bunker("inspect", "box", "--format", shown)).toBe("one 10.81.1.2 []\ntwo 10.81.2.50 [moved]\n\n");
    await bunker("network", "disconnect", "one", "box");
    expect(
      await inside("box", "ls /sys/class/net; cat /etc/resolv.conf | grep nameserver; ip route | grep default"),
    ).toBe("eth1\nlo\nnameserver 10.81.2.1\ndefault via 10.81.2.1 dev eth1  metric 1000001 \n");
    expect(await inside("box", ask("peer"))).toContain("hello from");
    expect(await inside("peer", lookUp("box"))).toBe("10.81.2.50\n");
    await bunker("network", "disconnect", "two", "box");
    expect(await inside("peer", "nslookup box.two")).toContain("can't");
    // What was connected stays so when it starts again, and one on no network any more starts.
    await bunker("restart", "-t", "0", "plain", "box");
    expect(await inside("plain", ask("peer"))).toContain("hello from");
    expect(await inside("box", "ls /sys/class/net")).toBe("lo\n");
    await bunker("network", "connect", "two", "box");
    expect(await inside("box", ask("peer"))).toContain("hello from");
    await bunker("network", "disconnect", "two", "box");
    await bunker("network", "connect", "one", "box");
    expect(await inside("box", `grep nameserver /etc/resolv.conf; ${lookUp("box")}`)).toBe(
      "nameserver 10.81.1.1\n10.81.1.2\n",
    );
  });

  scenario("are joined and left while a container ends or is removed, which each command tells as it is", async () => {
    await bunker("network", "create", "one");
    await bunker("network", "create", "two");
    const begun = {
      ends: ["run", "-d", "--name", "box", "--network", "one", suite.image, "usleep", "20000"],
      "is removed": ["create", "--name", "box", "--network", "one", suite.image, "true"],
    };
    const answers = [
      /^$/,
      /No such container: box$/,
      /container box: it is being removed$/,
      /container box: another command is working on it$/,
    ];
    for (let round = 0; round < 24; round++) {
      const words = begun[round % 2 === 0 ? "ends" : "is removed"];
      await bunker(...words);
      const asked = [
        ["network", "connect", "two", "box"],
        ["network", "disconnect", "one", "box"],
        ["rename", "box", "box2"],
      ];
      const removal = words[0] === "create" ? suite.user.bunker(["rm", "-f", "box"]) : undefined;
      for (const answer of await Promise.all(asked.map((command) => suite.user.bunker(command)))) {
        expect(answers.some((expected) => expected.test(answer.errors.trim())) || answer.errors).toBe(true);
      }
      await removal;
      await suite.user.bunker(["rm", "-f", "box", "box2"]);
    }
    await bunker("network", "rm", "one", "two");
  });

  scenario("give addresses that are asked for, and tell why they cannot", async () => {
    await bunker(
      "network",
      "create",
      "--subnet",
      "10.82.0.0/24",
      "--ip-range",
      "10.82.0.128/29",
      "--gateway",
      "10.82.0.254",
      "net",
    );
    const run = (...options: string[]) =>
      suite.user.bunker(["run", "--rm", ...options, suite.image, "ip", "addr", "show", "eth0"]);
    const mac = "02:11:22:33:44:55";
    const wanted = await run("--network", "net", "--ip", "10.82.0.9", "--mac-address", mac.toUpperCase());
    expect(wanted.output).toContain("inet 10.82.0.9/24");
    expect(wanted.output).toContain(mac);
    expect((await run("--network", `name=net,ip=10.82.0.10,mac-address=${mac}`)).output).toContain(
      "inet 10.82.0.10/24",
    );
    expect((await run("--network", "net")).output).toContain("inet 10.82.0.128/24");
    expect((await run("--mac-address", mac)).output).toContain(mac);
    await bunker("create", "--network", "net", "--ip", "10.82.0.9", suite.image);
    const errors = async (...options: string[]) => (await run(...options)).errors;
    expect(await errors("--network", "net", "--ip", "10.82.0.9")).toContain("Address already in use");
    expect(await errors("--network", "net", "--ip", "10.83.0.9")).toContain("it is not in 10.82.0.0/24");
    expect(await errors("--network", "net", "--ip", "10.82.0.254")).toContain("it is the gateway's");
    expect(await errors("--network", "net", "--ip", "10.82.0.255")).toContain("it is not a host's");
    expect(await errors("--network", "net", "--ip6", "fd00::9")).toContain("it has no IPv6");
    expect(await errors("--network", "nit")).toMatch(/^bunker: network nit: not found\nhint: did you mean net\?\n$/);
    expect(await errors("--network", "net", "--network", "host")).toContain("conflicting options");
    expect(await errors("--network", "net", "--network", "net")).toContain("is on it already");
    expect(await errors("--ip", "10.82.0.9")).toContain("supported on user defined networks only");
    expect(await errors("--network", "net:ipp=10.82.0.9")).toContain("did you mean ip?");
    expect(await errors("--mac-address", "01:00:00:00:00:01")).toContain("expected a hardware address");
    // Nothing of what was refused is left.
    for (let count = 0; count < 8; count++) await bunker("create", "--network", "net", suite.image);
    expect(await errors("--network", "net")).toContain("no address of 10.82.0.128/29 is free");
  });
});

describe("bunker network", () => {
  scenario("makes, lists, shows and removes networks", async () => {
    const id = (await bunker("network", "create", "--label", "a=b", "--internal", "first")).trim();
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const general = ["-d", "bridge", "--attachable", "--ipv4", "--ipam-driver=default", "--scope=local"];
    await bunker(
      "network",
      "create",
      ...general,
      "-o",
      "isolate=true",
      "-o",
      "com.docker.network.bridge.enable_icc=true",
      "second",
    );
    expect(await bunker("network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Internal}}")).toBe(
      "bridge bridge false\nfirst bridge true\nhost host false\nnone null false\nsecond bridge false\n",
    );
    expect(await bunker("network", "ls", "-q", "-f", "label=a=b")).toBe(`${id.slice(0, 12)}\n`);
    expect(await bunker("network", "ls", "-f", "dangling=true", "-f", "name=sec", "--format", "{{.Name}}")).toBe(
      "second\n",
    );
    const custom = ["network", "ls", "-f", "type=custom", "--noheading", "--format", "table {{.Name}}"];
    expect(await bunker(...custom, "-f", "until=0s")).toBe("first\nsecond\n");
    expect(await bunker(...custom, "-f", "until=24h")).toBe("");
    expect(await bunker("network", "ls", "--noheading", "--no-trunc", "-f", "name=first")).toMatch(
      new RegExp(`^${id} +first +bridge +local\n$`),
    );
    const subnetOf = (name: string) =>
      bunker("network", "inspect", name, "--format", "{{.Name}} {{(index .IPAM.Config 0).Subnet}}");
    const [one, other] = [await subnetOf(id.slice(0, 8)), await subnetOf("second")];
    expect(one).toMatch(/^first 10\.\d+\.\d+\.0\/24\n$/);
    expect(other).toMatch(/^second 10\.\d+\.\d+\.0\/24\n$/);
    expect(one.slice("first".length)).not.toBe(other.slice("second".length));
    expect((await suite.user.bunker(["network", "exists", "first"])).status).toBe(0);
    expect((await suite.user.bunker(["network", "exists", "third"])).status).toBe(1);
    await start("box", ["--network", "first"]);
    expect(await refused("network", "rm", "first")).toMatchObject({
      status: 1,
      errors: expect.stringContaining("network first has active endpoints (box)"),
    });
    expect(await bunker("ps", "-a", "--filter", "network=first", "--format", "{{.Names}} {{.Networks}}")).toBe(
      "box first\n",
    );
    expect(await bunker("network", "prune", "-f")).toBe("Deleted Networks:\nsecond\n\n");
    await bunker("rm", "-f", "box");
    expect(await bunker("network", "rm", id)).toBe(`${id}\n`);
    const events = await bunker(
      "events",
      "--since",
      "1h",
      "--until",
      "0s",
      "-f",
      "network=first",
      "--format",
      "{{.Action}}",
    );
    expect(events).toBe("create\nconnect\ndisconnect\ndestroy\n");
  });

  scenario("removes a network from under containers that do not run, which miss it then", async () => {
    await bunker("network", "create", "--subnet", "10.85.1.0/24", "net");
    for (const name of ["moves", "leaves"]) await bunker("create", "--name", name, "--network", "net", suite.image);
    await start("runs", ["--network", "net"]);
    expect((await refused("network", "rm", "net")).errors).toContain("has active endpoints (runs)");
    await bunker("stop", "-t", "0", "runs");
    expect(await bunker("network", "ls", "-q", "-f", "dangling=true", "-f", "name=net")).not.toBe("");
    await bunker("network", "rm", "net");
    const gone = (name: string, hint: string) =>
      expect.stringMatching(
        new RegExp(`^bunker: network net \\([0-9a-f]{12}\\): not found: it was removed .*\nhint: .*${hint} ${name}\n`),
      );
    expect(await refused("start", "leaves")).toEqual({ status: 1, errors: gone("leaves", "disconnect net") });
    expect(await bunker("ps", "-a", "-f", "network=net", "--format", "{{.Names}} {{.Networks}}")).toBe(
      "runs net\nleaves net\nmoves net\n",
    );
    await bunker("network", "create", "--subnet", "10.85.2.0/24", "net");
    expect(await refused("start", "moves")).toEqual({ status: 1, errors: gone("moves", "connect net") });
    await bunker("network", "connect", "net", "moves");
    await bunker("start", "-a", "moves");
    expect(await bunker("inspect", "moves", "--format", "{{.NetworkSettings.Networks.net.NetworkID}}")).toBe(
      await bunker("network", "inspect", "net", "--format", "{{.Id}}"),
    );
    await bunker("network", "disconnect", "net", "leaves");
    await bunker("start", "-a", "leaves");
    await bunker("network", "disconnect", "net", "runs");
    await bunker("network", "connect", "net", "runs");
    await bunker("start", "runs");
    expect(await inside("runs", "ip -4 -o addr show eth0 | tr -s ' ' | cut -d' ' -f4")).toBe("10.85.2.3/24\n");
    expect((await refused("network", "rm", "-t", "0", "net")).errors).toContain("--force");
    expect(await bunker("network", "rm", "-f", "-t", "0", "net")).toBe("net\n");
    expect(await bunker("ps", "-a", "--format", "{{.Names}}")).toBe("leaves\n");
  });

  scenario("refuses what cannot be", async () => {
    await bunker("network", "create", "--subnet", "10.84.0.0/24", "taken");
    for (const [words, message] of [
      [["taken"], "already exists"],
      [["host"], "the name has another meaning"],
      [["-d", "macvlan", "x"], "only root may put containers on a device of the host"],
      [["-d", "overlay", "x"], "it is for networks of a Swarm cluster"],
      [["-d", "null", "x"], "that network is always there"],
      [["a/b"], "expected up to 255"],
      [["--subnet", "10.84.0.128/25", "x"], "subnet 10.84.0.0/24 of network taken overlaps"],
      [["--subnet", "10.85.0.0/31", "x"], "no room"],
      [["--subnet", "127.5.0.0/16", "x"], "another meaning on every host"],
      [["--subnet", "239.0.0.0/8", "x"], "another meaning on every host"],
      [["--subnet", "fe80::/64", "x"], "another meaning on every host"],
      [["pasta"], "the name has another meaning"],
      [["--subnet", "10.85.0.0/24", "--gateway", "10.86.0.1", "x"], "none of the subnets"],
      [["--subnet", "10.85.0.0/24", "--gateway", "10.85.0.255", "x"], "not a host's address"],
      [["--subnet", "10.85.0.0/24", "--subnet", "10.86.0.0/24", "x"], "one subnet of each"],
      [["--ip-range", "10.85.0.0/28", "x"], "none of the subnets"],
      [["--driver", "macvlan", "x"], "bridge"],
      [["-o", "mtu=12", "x"], "from 68 to 65520"],
      [["-o", "parent=eth0", "x"], "the options are"],
      [["-o", "isolate=false", "x"], "always isolated"],
      [["-o", "com.docker.network.bridge.name=br7", "x"], "no bridge device"],
      [["-o", "com.docker.network.bridge.enable_icc=no", "x"], "expected true or false"],
      [["-o", "com.docker.network.bridge.host_binding_ipv4=::1", "x"], "expected an IPv4 address"],
      [["-o", "com.docker.network.container_iface_prefix=eth0", "x"], "not a digit"],
      [["-o", "metric=7", "x"], "gw-priority"],
      [["--dns", "nowhere", "x"], "expected IP addresses"],
      [["--dns", "192.0.2.1", "--disable-dns", "x"], "run --dns"],
      [["--route", "10.9.0.0/16", "x"], "expected NETWORK,GATEWAY"],
      [["--route", "10.9.0.0/16,10.99.0.1", "x"], "an address of the network"],
      [["--route", "fd00::/16,10.99.0.1", "x"], "of one IP version"],
      [["-o", "constructor=1", "x"], "the options are"],
      [["--config-only", "x"], "Swarm"],
      [["--ipv4=false", "x"], "every network has IPv4"],
      [["--attachable=false", "x"], "can be put on every network"],
      [["--scope", "swarm", "x"], "expected local"],
      [["--ipam-driver", "dhcp", "x"], "expected default or host-local"],
    ] as const) {
      const { errors } = await refused("network", "create", ...words);
      expect(errors).toContain(message);
    }
    expect((await refused("network", "rm", "bridge")).errors).toContain("pre-defined");
    expect((await refused("network", "rm", "nowhere")).errors).toContain("network nowhere: not found");
    await bunker("network", "rm", "-f", "nowhere");
    await start("hostly", ["--network", "host"]);
    await start("lonely", ["--network", "none"]);
    expect((await refused("network", "connect", "taken", "hostly")).errors).toContain("sharing network namespace");
    expect((await refused("network", "connect", "taken", "lonely")).errors).toContain("private (none) mode");
    expect((await refused("network", "disconnect", "taken", "lonely")).errors).toContain(
      "is not connected to network taken",
    );
    expect((await refused("network", "connect", "taken", "nobody")).errors).toContain("No such container: nobody");
  });
});
