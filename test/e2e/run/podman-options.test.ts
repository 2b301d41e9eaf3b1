/* Options of `run` and `create` that Podman has and Docker has not. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { finish } from "../../unprivileged-user.ts";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

async function bunker(...words: string[]): Promise<string> {
  const { status, output, errors } = await suite.user.bunker(words);
  expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
  return output;
}

const ALONE = ["--network", "none"] as const;

test("the environment of the image and of the host", async () => {
  const env = async (options: readonly string[]) =>
    (await bunker("run", "--rm", ...ALONE, ...options, suite.image, "/bin/busybox", "env")).split("\n");
  expect(await env(["--unsetenv-all", "-e", "A=1"])).toEqual(["A=1", "HOME=/root", ""]);
  const own = await env(["--env-merge", "PATH=$PATH:/more", "--unsetenv", "HOSTNAME", "--env-host"]);
  expect(own).toContainEqual(expect.stringMatching(/^PATH=.*\/bin:\/more$/));
  expect(own.filter((entry) => entry.startsWith("HOSTNAME="))).toEqual([]);
  expect(own.filter((entry) => entry.startsWith("XDG_DATA_HOME="))).toHaveLength(1);
});

test("files of the engine, time zone and umask", async () => {
  const hosts = `${suite.user.home}/hosts`;
  using _ = { [Symbol.dispose]: () => rmSync(hosts, { force: true }) };
  writeFileSync(hosts, "192.0.2.7\tof-the-file");
  const script = "umask; date -d 2020-01-01T00:00:00Z +%z 2>/dev/null; cat /jail/etc/hostname; cat /etc/hosts";
  const options = ["--umask", "027", "--chrootdirs", "/jail", "--hosts-file", hosts, "-h", "box"];
  const [mask, ...rest] = (await suite.inside([...ALONE, ...options], script)).split("\n");
  expect(mask).toBe("0027");
  expect(rest).toContain("box");
  expect(rest).toContain("192.0.2.7\tof-the-file");
  expect(rest).toContain("127.0.0.1\tlocalhost");
  const without = [...ALONE, "--no-hosts", "--no-hostname"];
  expect(await suite.inside(without, "grep -c ' /etc/host' /proc/self/mountinfo || :")).toBe("0\n");
  expect(await suite.inside([...ALONE, "--dns", "none"], "grep -c ' /etc/resolv' /proc/self/mountinfo || :")).toBe(
    "0\n",
  );
  expect(await suite.inside([...ALONE, "--tz", "local"], "cat /etc/localtime | wc -c")).toBe(
    `${readFileSync("/etc/localtime").length}\n`,
  );
  const { errors } = await suite.user.run(["--tz", "Nowhere/At-all", suite.image, "true"]);
  expect(errors).toContain("the host has no such time zone");
});

test("--replace, --pidfile, --timeout and an entry point of several words", async () => {
  const file = `${suite.user.home}/pid`;
  using _ = { [Symbol.dispose]: () => rmSync(file, { force: true }) };
  const words = ["run", "-d", ...ALONE, "--name", "box", "--pidfile", file];
  const first = await bunker(...words, suite.image, "sleep", "1000");
  const inspected = await bunker("inspect", "--format", "{{.State.Pid}}", "box");
  expect(readFileSync(file, "latin1")).toBe(inspected.trim());
  const second = await bunker(
    ...words,
    "--replace",
    "--timeout",
    "1",
    "--entrypoint",
    '["sleep"]',
    suite.image,
    "1000",
  );
  expect(second).not.toBe(first);
  expect(await bunker("wait", "box")).toBe("137\n");
  expect((await bunker("ps", "-aq", "--no-trunc")).trim()).toBe(second.trim());
  await bunker("rm", "box");
  expect(existsSync(file)).toBe(true);
  const refused = await suite.user.run([...ALONE, "--pidfile", "/nowhere/pid", "--name", "box", suite.image, "true"]);
  expect(refused).toMatchObject({ status: 125, errors: "bunker: write the file for the pid /nowhere/pid: ENOENT\n" });
});

test("what is done with a container that becomes unhealthy", async () => {
  // It is healthy until its script has come to where it can be told.
  const health = ["--health-cmd", "[ ! -e /ready ]", "--health-interval", "50ms", "--health-retries", "1"];
  const run = (name: string, action: string, script: string) => {
    const words = [...ALONE, ...health, "--health-on-failure", action, "--name", name, suite.image, "sh", "-c", script];
    return bunker("run", "-d", ...words);
  };
  await run("killed", "kill", "touch /ready; exec sleep 1000");
  expect(await bunker("wait", "killed")).toBe("137\n");
  await run("stopped", "stop", "trap 'exit 3' TERM; touch /ready; while :; do sleep 0.01; done");
  expect(await bunker("wait", "stopped")).toBe("3\n");
  // Restarted once; the second time it ends by itself.
  await run("restarted", "restart", "[ -e /again ] && rm -f /ready && exit 7; touch /again /ready; exec sleep 1000");
  const ended = async () => {
    const format = "{{.State.Status}} {{.State.ExitCode}}";
    for (;;) if ((await bunker("inspect", "--format", format, "restarted")) === "exited 7\n") return true;
  };
  expect(await ended()).toBe(true);
  await bunker("rm", "-f", "killed", "stopped", "restarted");
});

test("a check that has to succeed before health is checked", async () => {
  const health = async (name: string) =>
    JSON.parse(await bunker("inspect", "--format", "{{json .State.Health}}", name)) as {
      readonly Status: string;
      readonly Log: readonly { readonly ExitCode: number; readonly Output: string }[];
    };
  const startup = ["--health-startup-cmd", "echo not yet; [ -e /up ]", "--health-startup-interval", "50ms"];
  const regular = ["--health-cmd", "echo 123456; echo checked >>/up", "--health-interval", "50ms"];
  const kept = ["--health-max-log-size", "5", "--health-max-log-count", "2", "--health-startup-success", "2"];
  await bunker("run", "-d", ...ALONE, ...startup, ...regular, ...kept, "--name", "box", suite.image, "sleep", "1000");
  while ((await health("box")).Log.length < 2);
  const before = await health("box");
  expect(before).toMatchObject({ Status: "starting", Log: [{ ExitCode: 1, Output: "not y" }, { ExitCode: 1 }] });
  await bunker("exec", "box", "touch", "/up");
  for (let now = before; now.Status !== "healthy"; now = await health("box")) {
    expect(now.Status).toBe("starting");
    expect(now.Log.length).toBeLessThanOrEqual(2);
  }
  expect((await health("box")).Log.at(-1)).toMatchObject({ ExitCode: 0, Output: "12345" });
  await bunker("rm", "-f", "box");
  // One that never succeeds has it restarted; the second time it ends by itself.
  const failing = [
    "--health-startup-cmd",
    "false",
    "--health-startup-interval",
    "50ms",
    "--health-startup-retries",
    "2",
  ];
  const script = "[ -e /again ] && exit 7; touch /again; exec sleep 1000";
  await bunker("run", "-d", ...ALONE, ...failing, ...regular, "--name", "box", suite.image, "sh", "-c", script);
  const format = "{{.State.Status}} {{.State.ExitCode}}";
  while ((await bunker("inspect", "--format", format, "box")) !== "exited 7\n");
  await bunker("rm", "box");
  const { errors, status } = await suite.user.run(["--health-startup-retries", "1", suite.image, "true"]);
  expect({ errors, status }).toEqual({
    errors: "bunker: conflicting options: --health-startup-* options without --health-startup-cmd\n",
    status: 125,
  });
});

test("scratch space of read-only containers, proxies, the execution domain, annotations and groups", async () => {
  const script = "for place in /run /tmp /var/tmp; do echo $place >$place/file && cat $place/file; done; touch /new";
  const scratch = ["run", "--rm", ...ALONE, "--read-only", "--read-only-tmpfs", suite.image, "sh", "-c", script];
  expect(await suite.user.bunker(scratch)).toMatchObject({ status: 1, output: "/run\n/tmp\n/var/tmp\n" });
  const words = ["run", "--rm", ...ALONE, "--http-proxy", "-e", "NO_PROXY=mine", suite.image, "env"];
  const proxies = ["http_proxy=http://proxy:1", "HTTPS_PROXY=http://proxy:2", "NO_PROXY=theirs", "OTHER=1"];
  const { output } = await finish(suite.user.start(["env", ...proxies, suite.user.bunkerPath, ...words]));
  expect(
    output
      .split("\n")
      .filter((line) => /proxy|OTHER/i.test(line))
      .toSorted(),
  ).toEqual(["HTTPS_PROXY=http://proxy:2", "NO_PROXY=mine", "http_proxy=http://proxy:1"]);
  const [machine32] = (await suite.inside([...ALONE, "--personality", "LINUX32"], "uname -m")).split("\n");
  expect(machine32).toMatch(/^(i686|armv8l)$/);
  const format = "{{json .HostConfig.Annotations}}";
  await bunker("create", ...ALONE, "--annotation", "a.b=c", "--name", "box", suite.image, "true");
  expect(await bunker("inspect", "--format", format, "box")).toBe('{"a.b":"c"}\n');
  await bunker("rm", "box");
  const both = ["--group-add", "keep-groups", "--group-add", "5", suite.image, "true"];
  expect((await suite.user.run(both)).errors).toContain("--group-add keep-groups and other groups");
});

test("descriptors that are passed on, by run and exec", async () => {
  const script = `
    exec 3</etc/hostname 5<"$0"
    "$1" run --rm --network none --preserve-fds 3 "$2" sh -c 'ls /proc/self/fd | tr "\n" " "; cat <&5'
    exec 4</etc/hostname
    "$1" run --rm --network none --preserve-fds 3 "$2" sh -c 'cat <&5'
    "$1" run -d --network none --name box --preserve-fds 1 "$2" sh -c 'cat <&3 >/got; exec sleep 1000' >/dev/null
    exec 5<"$0"
    "$1" exec --preserve-fds 3 box sh -c 'while ! [ -s /got ]; do :; done; cat <&5'
    "$1" rm -f box`;
  const file = `${suite.user.home}/passed`;
  using _ = { [Symbol.dispose]: () => rmSync(file, { force: true }) };
  writeFileSync(file, "passed\n");
  const words = ["sh", "-c", script, file, suite.user.bunkerPath, suite.image];
  const { output, errors } = await finish(suite.user.start(words));
  expect(errors).toBe(
    "bunker: pass on file descriptor 4: this command was not given it\nhint: --preserve-fds 3 passes on 3 to 5, which all have to be open.\n",
  );
  expect(output).toBe("passed\npassed\nbox\n");
});

test("an image that goes with its container, unless others use it", async () => {
  await bunker("create", "--name", "base", suite.image, "true");
  await bunker("commit", "--squash", "base", "lone");
  await bunker("rm", "base");
  const images = async () => (await bunker("images", "--format", "{{.Repository}}", "lone")).trim();
  await bunker("create", ...ALONE, "--name", "user", "lone");
  await bunker("run", "--rmi", ...ALONE, "lone", "true");
  expect(await images()).toBe("lone");
  await bunker("rm", "user");
  await bunker("run", "-d", "--rmi", ...ALONE, "lone", "true");
  while ((await images()) !== "");
  await bunker("create", "--name", "base", suite.image, "true");
  await bunker("commit", "--squash", "base", "lone");
  await bunker("rm", "base");
  expect((await suite.user.run(["--rmi", ...ALONE, "lone", "sh", "-c", "exit 5"])).status).toBe(5);
  expect(await images()).toBe("");
  expect(await bunker("ps", "-aq")).toBe("");
});
