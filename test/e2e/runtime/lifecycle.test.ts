import { expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { eventually, kill } from "../../unprivileged-user.ts";
import { runtimeSuite } from "./suite.ts";

const suite = runtimeSuite();

test("a container is created, started, signalled and deleted", async () => {
  const script = 'trap "exit 9" TERM; echo started >/data/log; while :; do sleep 0.01; done';
  const bundle = suite.box.bundle(["sh", "-c", script], { rest: { annotations: { "org.example": "yes" } } });
  const log = join(suite.box.rootfs, "data/log");
  await suite.withCreated(bundle, async () => {
    expect(suite.stateOf()).toEqual({
      ociVersion: "1.2.0",
      id: "test",
      pid: expect.any(Number),
      status: "created",
      bundle,
      rootfs: suite.box.rootfs,
      created: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      annotations: { "org.example": "yes" },
      owner: "bunker-test",
    });
    expect(existsSync(log)).toBe(false);
    expect(suite.box.runtime("start", "test").status).toBe(0);
    expect(suite.stateOf()["status"]).toBe("running");
    await eventually(
      () => existsSync(log),
      () => "the container to write",
    );
    expect(suite.box.runtime("start", "test").errors).toBe(
      "bunker: start container test: it is running, not created\n",
    );
    expect(suite.box.runtime("delete", "test")).toMatchObject({ status: 1 });
    for (const probe of [["test"], ["--all", "test"]]) {
      expect(suite.box.runtime("kill", ...probe, "0")).toEqual({ status: 0, output: "", errors: "" });
    }
    expect(suite.stateOf()["status"]).toBe("running");
    expect(suite.box.runtime("kill", "test", "SIGTERM").status).toBe(0);
    await eventually(
      () => suite.stateOf()["status"] === "stopped",
      () => "the container to stop",
    );
    expect(suite.stateOf()["pid"]).toBe(0);
    for (const signal of ["TERM", "0"]) {
      expect(suite.box.runtime("kill", "test", signal).errors).toBe(
        "bunker: signal container test: the container is not running\n",
      );
    }
    expect(suite.box.runtime("delete", "test")).toEqual({ status: 0, output: "", errors: "" });
    expect(suite.box.runtime("state", "test")).toEqual({
      status: 1,
      output: "",
      errors: "bunker: container test does not exist\n",
    });
    expect(suite.box.runtime("delete", "test").status).toBe(1);
    expect(suite.box.runtime("delete", "--force", "test").status).toBe(0);
  });
  rmSync(log);
});

test("an id is taken once", async () => {
  const bundle = suite.box.bundle(["true"]);
  await suite.withCreated(bundle, () => {
    expect(suite.box.runtime("create", "--bundle", bundle, "test")).toEqual({
      status: 1,
      output: "",
      errors: "bunker: create container test: a container with that id exists\n",
    });
    expect(suite.stateOf()["status"]).toBe("created");
  });
});

test.each(["..", ".", "a/b", "", "a b", "é"])("%j is no id", (id) => {
  expect(suite.box.runtime("create", "--bundle", suite.box.bundle(["true"]), "--", id)).toMatchObject({ status: 1 });
});

test("a created container that is killed never starts", async () => {
  await suite.withCreated(suite.box.bundle(["true"]), async () => {
    expect(suite.box.runtime("kill", "test", "9").status).toBe(0);
    await eventually(
      () => suite.stateOf()["status"] === "stopped",
      () => "the container to stop",
    );
    expect(suite.box.runtime("start", "test")).toMatchObject({ status: 1 });
  });
});

test.each([
  ["exit 0", 0],
  ["exit 3", 3],
  ["kill -9 $$", 0],
])("run ends as the container does: %s", (script, status) => {
  // A signal that process 1 sends to itself has no effect.
  expect(suite.box.run(["sh", "-c", script])).toEqual({ status, output: "", errors: "" });
});

test("run --detach leaves the container running, and list shows it", async () => {
  const pidFile = join(suite.box.path, "pid");
  const bundle = suite.box.bundle(["sleep", "1000"]);
  expect(suite.box.runtime("run", "--detach", "--pid-file", pidFile, "--bundle", bundle, "test").status).toBe(0);
  const pid = Number(readFileSync(pidFile, "utf8"));
  expect(suite.stateOf()).toMatchObject({ status: "running", pid });
  expect(suite.box.runtime("list", "--quiet").output).toBe("test\n");
  expect(JSON.parse(suite.box.runtime("list", "-f", "json").output)).toMatchObject([{ id: "test", pid }]);
  expect(suite.box.runtime("list").output).toMatch(
    new RegExp(`^ID +PID +STATUS +BUNDLE +CREATED +OWNER\ntest +${pid} +running +${bundle} +\\S+ +bunker-test\n$`),
  );
  expect(JSON.parse(suite.box.runtime("ps", "-f", "json", "test").output)).toEqual([pid]);
  expect(suite.box.runtime("ps", "test").output).toMatch(
    new RegExp(
      `^UID +PID +PPID +C +STIME +TTY +TIME +CMD\nbunker-\\S+ +${pid} +\\d+ +\\d+ +\\S+ +\\? +\\S+ +sleep 1000\n$`,
    ),
  );
  expect(suite.box.runtime("ps", "test", "-o", "pid,args").output).toMatch(
    new RegExp(`^PID +COMMAND\n${pid} +sleep 1000\n$`),
  );
  expect(suite.box.runtime("ps", "test", "-Z")).toMatchObject({ output: "", status: 1 });
  expect(suite.box.runtime("kill", "--all", "test", "KILL").status).toBe(0);
  await eventually(
    () => suite.stateOf()["status"] === "stopped",
    () => "the container to stop",
  );
  expect(suite.box.runtime("kill", "--all", "test", "KILL").status).toBe(0);
  expect(suite.box.runtime("delete", "test").status).toBe(0);
});

test("run --keep keeps the record", () => {
  expect(suite.box.runtime("run", "--keep", "--bundle", suite.box.bundle(["false"]), "test").status).toBe(1);
  expect(suite.stateOf()["status"]).toBe("stopped");
  expect(suite.box.runtime("delete", "test").status).toBe(0);
});

test("signals of a foreground run reach the container", async () => {
  const script = 'trap "echo got; exit 5" TERM; echo ready; while :; do sleep 0.01; done';
  const child = suite.box.start("run", "--bundle", suite.box.bundle(["sh", "-c", script]), "test");
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  expect(Buffer.from(value ?? []).toString()).toBe("ready\n");
  child.kill("SIGTERM");
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("got\n");
  expect(await child.exited).toBe(5);
});

test("a create that is killed in the middle leaves a record that can be deleted, and no process", async () => {
  const bundle = suite.box.bundle(["true"], {
    rest: { hooks: { createContainer: [{ path: "/bin/sleep", args: ["sleep", "1000"], env: [suite.box.mark] }] } },
  });
  const child = suite.box.start("create", "--bundle", bundle, "test");
  await eventually(
    () => suite.box.leftovers().length >= 4,
    () => "the hook to run",
  );
  expect(suite.stateOf()["status"]).toBe("creating");
  child.kill("SIGKILL");
  await child.exited;
  // The hook does not know; it is the administrator's program. It ends with the container's first process.
  for (const line of suite.box.leftovers()) if (line.startsWith("process")) kill(Number(line.split(" ")[1]));
  await eventually(
    () => !suite.box.leftovers().some((line) => line.startsWith("process")),
    () => `no process: ${suite.box.leftovers()}`,
  );
  expect(suite.stateOf()).toMatchObject({ status: "stopped", pid: 0 });
  expect(suite.box.runtime("start", "test").status).toBe(1);
  expect(suite.box.runtime("delete", "test")).toEqual({ status: 0, output: "", errors: "" });
});

test("a create that is killed takes the waiting child along", async () => {
  // The runtime itself waits for this hook, in the kernel.
  const script = "while kill -0 $PPID; do sleep 0.01; done 2>&-";
  const hooks = { createRuntime: [{ path: "/bin/sh", args: ["sh", "-c", script] }] };
  const bundle = suite.box.bundle(["true"], { rest: { hooks } });
  const child = suite.box.start("create", "--bundle", bundle, "test");
  await eventually(
    () => existsSync(join(suite.box.stateRoot, "test/state.json")) && suite.stateOf()["status"] === "creating",
    () => "the creation to begin",
  );
  child.kill("SIGKILL");
  await child.exited;
  await eventually(
    () => !suite.box.leftovers().some((line) => line.startsWith("process")),
    () => `no process: ${suite.box.leftovers()}`,
  );
  expect(suite.box.runtime("delete", "test").status).toBe(0);
});

test.each([
  [[], false],
  [["--no-subreaper"], true],
] as const)("what a foreground run without a pid namespace leaves behind: %j lives: %p", (options, expected) => {
  const { box } = suite;
  const namespaces = ["user", "mount", "ipc", "uts", "network", "cgroup"] as const;
  const mounts = [{ destination: "/proc", source: "/proc", type: "none", options: ["rbind"] }];
  const script = "setsid sleep 1000 >/dev/null 2>&1 & echo $!";
  const bundle = box.bundle(["sh", "-c", script], { namespaces, rest: { mounts } });
  const { status, output, errors } = box.runtime("run", ...options, "--bundle", bundle, "test");
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  expect(existsSync(`/proc/${output.trim()}`)).toBe(expected);
  if (expected) box.cleanUp();
});
