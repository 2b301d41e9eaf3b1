/* Options by which commands for containers choose them, and show them, that are Podman's more than Docker's. */
import { expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { eventually, finish, openFiles } from "../../unprivileged-user.ts";
import { containerSuite } from "../run/suite.ts";

const suite = containerSuite();

async function bunker(...words: string[]): Promise<string> {
  const { status, output, errors } = await suite.user.bunker(words);
  expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
  return output;
}

async function refused(...words: string[]): Promise<string> {
  const { status, errors } = await suite.user.bunker(words);
  expect(status).not.toBe(0);
  return errors;
}

const names = async (...words: string[]) => (await bunker("ps", "-a", ...words, "--format", "{{.Names}}")).split("\n");

test("filters, --ignore and --depend choose the containers of a command", async () => {
  const make = async (name: string, ...words: string[]) =>
    (await bunker("create", "--network", "none", "--name", name, ...words, suite.image, "sleep", "1000")).trim();
  const one = await make("one", "--label", "kind=odd");
  const two = await make("two", "--label", "kind=even", "--expose", "53/udp");
  expect(await bunker("start", "--filter", "label=kind=odd")).toBe(`${one}\n`);
  expect(await bunker("start", "--all")).toBe(`${two}\n`);
  expect(await bunker("wait", "--condition", "running", "--condition", "paused", "-i", "5", "one")).toBe("-1\n");
  expect(await bunker("wait", "--ignore", "three")).toBe("-1\n");
  expect(await refused("wait", "--condition", "initialized", "one")).toContain("never seen in this state");
  const three = (await bunker("run", "-d", "--network", "container:two", "--name", "three", suite.image, "top")).trim();
  expect(await names("--filter", "expose=50-60/udp")).toEqual(["two", ""]);
  expect(await names("--filter", "expose=53")).toEqual([""]);
  expect(await names("--filter", "publish=53/udp")).toEqual([""]);
  expect(await names("--filter", "until=1h")).toEqual([""]);
  expect(await names("--sort", "names")).toEqual(["one", "three", "two", ""]);
  expect(await names("--sort", "created")).toEqual(["one", "two", "three", ""]);
  expect(await bunker("stop", "-t", "0", "--ignore", "two", "four", "--cidfile", "/none")).toBe("two\n");
  expect(await refused("stop", "four")).toBe("bunker: No such container: four\n");
  expect(await bunker("restart", "-t", "0", "--running", "--filter", "name=one")).toBe(`${one}\n`);
  expect(await bunker("kill", "--filter", "status=running", "--filter", "name=one")).toBe(`${one}\n`);
  expect(await refused("kill", "--filter", "name=one", "one")).toBe(
    "bunker: names of containers, --latest and --filter exclude each other\n",
  );
  expect(await bunker("wait", "--condition", "exited", "one")).toBe("137\n");
  // As with Docker, only a positive number is one.
  expect(await bunker("ps", "-n", "0", "--format", "{{.Names}}")).toBe("three\n");
  expect(await bunker("ps", "-n", "-2", "--format", "{{.Names}}")).toBe("three\n");
  expect(await bunker("ps", "-n", "2", "--format", "{{.Names}}")).toBe("three\ntwo\n");
  expect(await refused("rm", "--time", "1", "one")).toStartWith("bunker: --time needs --force");
  expect(await bunker("rm", "-f", "-t", "0", "--depend", "two")).toBe("two\n");
  expect(await bunker("ps", "-aq", "--no-trunc", "--filter", `id=${three}`)).toBe("");
  expect(await bunker("rm", "-i", "two", "one")).toBe("one\n");
});

test("a list shows commands as Docker does: arguments with spaces are in quotation marks", async () => {
  await bunker("create", "--name", "quoted", suite.image, "sh", "-c", "echo one", "two", "a b c");
  expect(await bunker("ps", "-a", "--no-trunc", "--format", "{{.Command}}")).toBe(`"sh -c 'echo one' two 'a b c'"\n`);
  expect(await bunker("ps", "-a")).toContain(` "sh -c 'echo one' tw…" `);
  await bunker("rm", "quoted");
});

test("a list takes what fits any value of a filter and all filters", async () => {
  const make = (name: string, image: string, ...words: string[]) =>
    bunker("create", "--name", name, ...words, image, "sleep", "1000");
  await bunker("load", "-i", suite.image.slice("oci:".length, -":latest".length));
  await make("one", suite.image, "--label", "kind=odd", "--restart", "always", "--network", "none");
  await bunker("cp", "/etc/hostname", "one:/file");
  await bunker("tag", (await bunker("inspect", "-f", "{{.Image}}", "one")).trim(), "base");
  await bunker("commit", "one", "child");
  await bunker("tag", "child", "other:1");
  await make("two", "child", "--label", "kind=even", "--network", "none");
  await make("three", "other:1", "--label", "kind=odd");
  const id = (await bunker("image", "inspect", "-f", "{{.Id}}", "child")).trim();
  const fitting = async (...filters: string[]) => (await names(...filters.flatMap((each) => ["-f", each]))).join(" ");
  const found = [
    ["three two one ", "ancestor=base"],
    ["one ", `ancestor=${suite.image}`],
    // By another name than it was made by.
    ["three two ", "ancestor=child"],
    ["three two ", "ancestor=docker.io/library/other:1"],
    ["three two ", `ancestor=${id}`],
    ["three two ", `ancestor=${id.slice(7, 19)}`],
    ["", "ancestor=nosuch"],
    ["two ", "label!=kind=odd"],
    ["three one ", "label!=kind=even"],
    ["three two one ", "is-task=false"],
    ["", "is-task=true"],
    ["one ", "restart-policy=always"],
    ["three two one ", "restart-policy=always", "restart-policy=no"],
    ["three two one ", "command=^sl"],
    ["", "command=1000"],
    ["three ", "network=bridge"],
    ["three ", "network=slirp4netns"],
    ["three ", `network=${"b".repeat(12)}`],
    ["three two ", "network=bridge", "network=none", "ancestor=child"],
    ["", "health=healthy"],
    ["three two one ", "health=none", "health=healthy"],
  ] as const;
  for (const [expected, ...filters] of found) {
    expect({ filters, names: await fitting(...filters) }).toEqual({ filters, names: expected });
  }
  // It has the same name, and id, wherever it is shown.
  const network = "{{.HostConfig.NetworkMode}} {{.NetworkSettings.Networks.bridge.NetworkID}}";
  const bridge = await bunker("network", "ls", "--no-trunc", "-f", "name=^bridge$", "--format", "{{.Name}} {{.ID}}");
  expect(await bunker("inspect", "-f", network, "three")).toBe(bridge);
  expect(await bunker("ps", "-a", "-f", "name=three", "--format", "{{.Networks}}")).toBe("bridge\n");
  // Also one that was recorded when it had the name of what makes it.
  const oldNetwork = `replace(definition, '"network":"bridge"', '"network":"slirp"')`;
  const old = `replace(${oldNetwork}, '"NetworkMode":"bridge"', '"NetworkMode":"slirp"')`;
  const script = `import sqlite3; d = sqlite3.connect("${suite.user.data}/state.db")
print(d.execute("""UPDATE container SET definition = ${old} WHERE definition != ${old}""").rowcount); d.commit()`;
  expect(await suite.user.execute(["python3", "-c", script])).toEqual({ status: 0, output: "1\n", errors: "" });
  expect(await bunker("ps", "-a", "-f", "network=bridge", "--format", "{{.Names}} {{.Networks}}")).toBe(
    "three bridge\n",
  );
  expect(await bunker("inspect", "--format", network, "three")).toBe(bridge);
  expect(await bunker("wait", "--condition", "configured", "three")).toBe("-1\n");
  // As with Docker, the word json alone does not have it measured how much they have written.
  const sizes = async (...words: string[]) =>
    JSON.parse(await bunker("ps", "-a", "-f", "name=one", "--format", ...words)).Size as string;
  expect(await sizes("json")).toBe("0B");
  expect(await sizes("json", "--size")).toMatch(/^[1-9]\d*B \(virtual /);
  expect(await sizes("{{json .}}")).toMatch(/^[1-9]\d*B \(virtual /);
  expect(await names("--sort", "size")).toEqual(["three", "two", "one", ""]);
  expect(await refused("ps", "-f", "health=fine")).toBe(
    "bunker: filter by health=fine: expected one of starting, healthy, unhealthy, none\n",
  );
  expect(await refused("ps", "-f", "restart-policy=never")).toContain("expected one of no, always, on-failure");
  expect(await refused("ps", "-f", "command=(")).toBe("bunker: filter by command=(: expected a regular expression\n");
  expect(await refused("events", "--until", "0s", "-f", "type=pod")).toBe(
    "bunker: filter by type=pod: expected one of container, image, network, secret, volume\n",
  );
  expect(await bunker("volume", "ls", "-q", "-f", "scope=local", "-f", "name=nosuch")).toBe("");
  expect(await bunker("rm", "one", "two", "three")).toBe("one\ntwo\nthree\n");
  await bunker("rmi", "child", "other:1", "base");
});

test("lists, sizes, ports and logs of several", async () => {
  const run = (name: string, ...words: string[]) =>
    bunker("run", "--name", name, "--network", "none", suite.image, "sh", "-c", ...words);
  await run("one", "echo 1; head -c 1000 /dev/zero > /zeros");
  await run("two", "echo 3");
  const one = (await bunker("ps", "-aq", "-f", "name=one")).trim();
  const two = (await bunker("ps", "-aq", "-f", "name=two")).trim();
  expect(await bunker("logs", "one", "two")).toBe(`${one} 1\n${two} 3\n`);
  expect(await bunker("logs", "-f", "--names", "--color", "two", "one")).toBe(
    "\x1b[37mtwo\x1b[0m 3\n\x1b[31mone\x1b[0m 1\n",
  );
  const [size = ""] =
    (await bunker("ps", "-a", "--noheading", "-s", "-f", "name=one")).match(/\S+ \(virtual \S+\)/) ?? [];
  expect(size).toMatch(/^1kB \(virtual [\d.]+MB\)$/);
  const measured = await bunker("inspect", "-s", "--format", "{{.SizeRw}} {{gt .SizeRootFs 100000}}", "one");
  expect(measured).toBe("1000 true\n");
  expect(await bunker("inspect", "--format", "{{json .}}", "one")).not.toContain("SizeRw");
  expect(await refused("ps", "--ns", "--size")).toBe("bunker: --ns and --size exclude each other\n");
  await bunker("rm", "-a");
  await bunker("run", "-d", "--name", "web", "-p", "127.0.0.1::80", "--expose", "81", suite.image, "top");
  const web = (await bunker("ps", "-q")).trim();
  const port = (await bunker("port", "web", "80")).trim();
  expect(await bunker("port", "-a")).toBe(`${web}\t80/tcp -> ${port}\n`);
  expect(await names("--filter", `publish=${port.split(":")[1]}`)).toEqual(["web", ""]);
  expect(await bunker("inspect", "--format", "{{json .Config.ExposedPorts}}", "web")).toBe(
    '{"80/tcp":{},"81/tcp":{}}\n',
  );
  // Port 81 is there although nothing of the host leads to it.
  expect(await bunker("ps", "--format", "{{.Ports}}")).toBe(`81/tcp, ${port}->80/tcp\n`);
  expect(await bunker("inspect", "--format", '{{json (index .NetworkSettings.Ports "81/tcp")}}', "web")).toBe("null\n");
  const [, line = ""] = (await bunker("ps", "--ns", "--external", "--sync")).split("\n");
  expect(line).toMatch(new RegExp(`^${web} +web +[1-9]\\d+( +\\d+){7}$`));
  await bunker("rm", "-fa");
});

test("cp --overwrite lets a directory take the place of a file, and the other way round", async () => {
  const source = `${suite.user.home}/source`;
  using _ = { [Symbol.dispose]: () => rmSync(source, { recursive: true, force: true }) };
  mkdirSync(`${source}/file/z`, { recursive: true });
  writeFileSync(`${source}/x`, "new");
  const script = "mkdir -p /d/x/y; echo old > /d/file; echo old > /d/x/y/old";
  await bunker("run", "--name", "box", "--network", "none", suite.image, "sh", "-c", script);
  expect(await refused("cp", `${source}/x`, "box:/d")).toContain("something else cannot take the place of a directory");
  expect(await refused("cp", `${source}/file`, "box:/d")).toContain("a directory cannot take the place of something");
  expect(await refused("cp", `${source}/file`, "box:/d/file")).toContain("a directory cannot be copied to something");
  await bunker("cp", "--overwrite", `${source}/.`, "box:/d");
  const [file, directory] = ["box:/d/x", "box:/d/file/z"].map((place) => bunker("cp", place, "-"));
  expect(await file).toContain("new");
  expect(await directory).toContain("z/");
  await bunker("cp", "--overwrite", `${source}/file`, "box:/d/x");
  expect(await bunker("cp", "box:/d/x", "-")).toContain("x/z/");
  await bunker("rm", "box");
});

test("what others have and Bunker cannot is refused with its reason", async () => {
  expect(await refused("container", "create", "--uidmap", "0:1:2", "x")).toContain("one map of ids");
  expect(await refused("start", "--checkpoint", "x", "y")).toContain("CRIU");
  expect(await refused("volume", "create", "--sharing", "all")).toContain("Swarm");
  expect(await refused("run", "--disable-content-trust=false", "x")).toContain("Content Trust");
  expect(await refused("run", "--gpu", "all", "x")).toStartWith("bunker: unknown option --gpu; ");
});

test("volumes with an owner, all of them, and those that are there", async () => {
  expect(await bunker("volume", "create", "--uid", "7", "--gid", "8", "owned")).toBe("owned\n");
  expect(await suite.inside(["-v", "owned:/v"], "stat -c %u:%g /v")).toBe("7:8\n");
  expect(await refused("volume", "create", "-o", "type=tmpfs", "owned")).toContain("with other options");
  expect(await bunker("volume", "create", "--ignore", "-o", "type=tmpfs", "owned")).toBe("owned\n");
  await bunker("volume", "create", "other");
  expect(await bunker("volume", "inspect", "-a", "--format", "{{.Name}}")).toBe("other\nowned\n");
  expect(await bunker("volume", "ls", "--noheading")).toBe("local     other\nlocal     owned\n");
  expect((await bunker("volume", "rm", "--all")).split("\n").sort()).toEqual(["", "other", "owned"]);
});

test("wait for the health of a container that has ended for good is no endless one", async () => {
  const run = (name: string, command: string, ...words: string[]) =>
    bunker("run", "-d", "--network", "none", "--name", name, ...words, suite.image, "sh", "-c", command);
  await run("ended", "exit 3", "--health-cmd", "true", "--health-interval", "1h");
  await bunker("wait", "ended");
  const told =
    /^bunker: wait for the health of container ended: container [0-9a-f]{12} is not running, it is exited\n$/;
  expect(await refused("wait", "--condition", "healthy", "ended")).toMatch(told);
  expect(await refused("wait", "--condition", "healthy", "--condition", "unhealthy", "ended")).toMatch(told);
  expect(await bunker("wait", "--condition", "healthy", "--condition", "exited", "ended")).toBe("3\n");
  const again = "[ -e /again ] && exec sleep 1000; touch /again; exit 1";
  const check = ["--health-cmd", "test -e /again", "--health-interval", "50ms"];
  await run("again", again, "--restart", "on-failure", ...check);
  expect(await bunker("wait", "--condition", "healthy", "-i", "5", "again")).toBe("-1\n");
  await bunker("stop", "-t", "0", "again");
  expect(await refused("wait", "--condition", "healthy", "again")).toMatch(/ is not running, it is exited\n$/);
  await bunker("rm", "-f", "-t", "0", "ended", "again");
});

test("wait for the health of a container that is restarted goes on with its next run", async () => {
  const script = "[ -e /second ] && touch /well; touch /second; exec sleep 1000";
  const check = ["--health-cmd", "test -e /well", "--health-interval", "50ms"];
  await bunker("run", "-d", "--network", "none", "--name", "box", ...check, suite.image, "sh", "-c", script);
  const words = ["wait", "--condition", "healthy", "-i", "1", "box"];
  const wait = suite.user.start([suite.user.bunkerPath, ...words]);
  await eventually(
    () => openFiles(wait.pid).some((path) => path.endsWith("/state.db")),
    () => "the command to wait",
  );
  while ((await suite.user.bunker(["exec", "box", "test", "-e", "/second"])).status !== 0);
  await bunker("restart", "-t", "0", "box");
  expect(await finish(wait)).toEqual({ status: 0, output: "-1\n", errors: "" });
  await bunker("rm", "-f", "-t", "0", "box");
});
