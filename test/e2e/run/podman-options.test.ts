/* Options of `run` and `create` that Podman has and Docker has not. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
