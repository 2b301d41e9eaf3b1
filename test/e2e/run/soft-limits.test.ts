/* Limits of containers that have no cgroup, which their supervisors keep by watching. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

/** Starts a container in the background that will have no cgroup, whatever this host has. */
async function start(options: readonly string[], script: string): Promise<void> {
  const words = ["run", "-d", "--name", "soft", "--cgroups=disabled", "--network=none", ...options];
  const { status, errors } = await suite.user.bunker([...words, suite.image, "sh", "-c", script]);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
}

async function inspect(format: string): Promise<string> {
  return (await suite.user.bunker(["inspect", "--format", format, "soft"])).output.trim();
}

test("memory: the process with most of it is killed, and the container says so", async () => {
  await start(["-m", "50m"], "dd if=/dev/zero of=/dev/null bs=150M count=1000000; sleep 1000");
  while ((await suite.user.bunker(["top", "soft"])).output.includes("dd if=")) await Bun.sleep(10);
  expect(await inspect("{{.State.Status}} {{.HostConfig.Memory}} {{.HostConfig.SoftLimits}}")).toBe(
    "running 52428800 [memory]",
  );
  expect((await suite.user.bunker(["kill", "soft"])).status).toBe(0);
  expect((await suite.user.bunker(["wait", "soft"])).output).toBe("137\n");
  expect(await inspect("{{.State.OOMKilled}} {{.HostConfig.SoftLimits}}")).toBe("true []");
  expect((await suite.user.bunker(["rm", "soft"])).status).toBe(0);
});

test("memory: files in a tmpfs count, which nobody survives when they alone are too much", async () => {
  const script = "dd if=/dev/zero of=/dev/shm/file bs=1M count=100 2>/dev/null; sleep 1000";
  const words = ["run", "--name", "soft", "--cgroups=disabled", "--network=none", "-m", "50m", "--shm-size", "200m"];
  expect((await suite.user.bunker([...words, suite.image, "sh", "-c", script])).status).toBe(137);
  expect(await inspect("{{.State.OOMKilled}}")).toBe("true");
  expect((await suite.user.bunker(["rm", "soft"])).status).toBe(0);
});

test("processes: one user's fork fails, and what all together have too many of is killed", async () => {
  await start(["--pids-limit", "6"], "(for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done) 2>/dev/null; sleep 1000");
  const count = async () => (await suite.user.bunker(["top", "soft"])).output.trim().split("\n").length - 1;
  // The first shell was replaced, or is one of them.
  expect(await count()).toBeLessThanOrEqual(6);
  for (const user of ["1001", "1002", "1003"]) {
    // It may be killed before it has executed anything.
    await suite.user.bunker(["exec", "-d", "-u", user, "soft", "sleep", "1000"]);
  }
  while ((await count()) > 6) await Bun.sleep(10);
  expect(await inspect("{{.State.Status}}")).toBe("running");
  expect((await suite.user.bunker(["rm", "-f", "soft"])).status).toBe(0);
});

test("processors: it is stopped now and then, children with their parents", async () => {
  await start(["--cpus", "0.1"], "(while :; do :; done) & while :; do :; done");
  const pid = await inspect("{{.State.Pid}}");
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").trim().split(" ");
  const isStopped = () =>
    [pid, ...children].every((member) => /^State:\tT/m.test(readFileSync(`/proc/${member}/status`, "latin1")));
  for (const state of [true, false, true, false]) while (isStopped() !== state) await Bun.sleep(1);
  expect(children).toHaveLength(1);
  expect((await suite.user.bunker(["rm", "-f", "soft"])).status).toBe(0);
});

test("other limits are a warning, since it was said that no cgroup is wanted", async () => {
  const words = ["run", "--rm", "--cgroups=disabled", "--cpuset-cpus=0", "--network=none", suite.image, "true"];
  expect(await suite.user.bunker(words)).toEqual({
    status: 0,
    output: "",
    errors: "warning: limits are not kept without a cgroup: cpuset.cpus\n",
  });
});
