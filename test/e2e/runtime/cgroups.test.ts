/*
 * The cgroups of runtime containers, made by hand: in a mount namespace where cgroup v2 is mounted at its place, whatever
 * the host has there, and below a cgroup that belongs to the test's user. Which controllers there are depends on the
 * host, so limits are tested in the laptop.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { runtimeSuite } from "./suite.ts";

/** A process that holds a mount namespace, and the words that enter it. */
function makeHierarchy(name: string): { enter: readonly string[]; holder: Bun.Subprocess } {
  const holder = Bun.spawn(
    [
      ...["unshare", "--mount", "--propagation", "private", "sh", "-ec"],
      "mount -t cgroup2 none /sys/fs/cgroup; echo ready; exec sleep infinity",
    ],
    { stdin: "ignore", stdout: "pipe", env: { ...process.env, NAME: name } },
  );
  return { enter: ["nsenter", `--mount=/proc/${holder.pid}/ns/mnt`], holder };
}

describe.each(["root", "bunker-test"] as const)("%s", (name) => {
  const top = `/sys/fs/cgroup/bunker-test-${process.pid}-${name}`;
  const { enter, holder } = makeHierarchy(name);
  /** Runs a shell script where cgroup v2 is. */
  const outside = (script: string) => {
    const ended = Bun.spawnSync([...enter, "sh", "-ec", script], { stderr: "pipe" });
    return `${ended.stdout}${ended.stderr}`.trim();
  };
  const suite = runtimeSuite(name, () => {
    // The namespace is complete when the mount is there.
    while (outside("stat -f -c %T /sys/fs/cgroup") !== "cgroup2fs") Bun.sleepSync(1);
    const uid = name === "root" ? "root" : name;
    outside(`mkdir -p ${top}/caller; chown -R ${uid} ${top}`);
    return [...enter, "sh", "-c", `echo 0 >${top}/caller/cgroup.procs && exec "$@"`, "sh"];
  });
  const withoutPidNamespace = ["user", "mount", "ipc", "uts", "network", "cgroup"] as const;
  const namespaces = withoutPidNamespace.filter((type) => name !== "root" || type !== "user");
  const refusal = (...words: string[]) => {
    const { status, errors } = suite.box.runtime(...words);
    expect(status).toBe(1);
    return errors.split("\n")[0];
  };
  afterAll(() => {
    outside(`rmdir ${top}/caller ${top}`);
    holder.kill();
  });

  test("a container has a cgroup beside its creator's, which is the root that it sees and goes with it", async () => {
    await suite.withRunning(
      () => {
        const { pid } = suite.stateOf();
        expect(outside(`cat ${top}/test/cgroup.procs`)).toBe(String(pid));
        expect(suite.box.runtime("exec", "test", "cat", "/proc/self/cgroup").output).toContain("0::/\n");
        expect(suite.box.runtime("exec", "test", "ls", "/groups").output).toContain("cgroup.procs\n");
        expect(suite.box.runtime("exec", "--detach", "test", "sleep", "1000").status).toBe(0);
        expect(outside(`wc -l <${top}/test/cgroup.procs`)).toBe("2");
        const usage = JSON.parse(suite.box.runtime("events", "--stats", "test").output);
        expect(usage).toMatchObject({
          type: "stats",
          id: "test",
          data: { cpu: { usage: { total: expect.any(Number) } } },
        });
      },
      { mounts: [{ destination: "/groups", type: "cgroup", source: "cgroup", options: ["ro"] }] },
    );
    expect(outside(`ls -d ${top}/*/`)).toBe(`${top}/caller/`);
  });

  test("it can be somewhere else, and what was made on the way goes as well", async () => {
    const path = `${top.replace("/sys/fs/cgroup", "")}/one/two`;
    await suite.withRunning(
      () => {
        expect(outside(`wc -l <${top}/one/two/cgroup.procs`)).toBe("1");
        const bundle = suite.box.bundle(["true"], { linux: { cgroupsPath: path } });
        expect(refusal("create", "--bundle", bundle, "other")).toBe(
          `bunker: make the cgroup ${path}: there are processes in it`,
        );
        expect(outside(`wc -l <${top}/one/two/cgroup.procs`)).toBe("1");
      },
      { linux: { cgroupsPath: path } },
    );
    expect(outside(`ls -d ${top}/*/`)).toBe(`${top}/caller/`);
    for (const [wrong, reason] of [
      ["../up", "it must not lead upwards"],
      ["system.slice:bunker:x", "SLICE:PREFIX:NAME is for --systemd-cgroup"],
    ]) {
      const bundle = suite.box.bundle(["true"], { linux: { cgroupsPath: wrong } });
      expect(refusal("create", "--bundle", bundle, "test")).toContain(String(reason));
    }
  });

  test("pausing stops everything until it is resumed", async () => {
    await suite.withCreated(suite.box.bundle(["sh", "-c", "while :; do echo . >>/data/dots; done"]), () => {
      expect(refusal("pause", "test")).toBe("bunker: pause container test: it is created");
      expect(suite.box.runtime("start", "test").status).toBe(0);
      expect(refusal("resume", "test")).toBe("bunker: resume container test: it is running");
      expect(suite.box.runtime("pause", "test")).toEqual({ status: 0, output: "", errors: "" });
      expect(suite.stateOf()).toMatchObject({ status: "paused" });
      expect(refusal("pause", "test")).toBe("bunker: pause container test: it is paused");
      expect(refusal("exec", "test", "true")).toBe("bunker: execute in container test: it is paused");
      expect(refusal("delete", "test")).toBe("bunker: delete container test: it is paused");
      expect(outside(`cat ${top}/test/cgroup.events`)).toContain("frozen 1");
      expect(suite.box.runtime("resume", "test")).toEqual({ status: 0, output: "", errors: "" });
      expect(suite.stateOf()).toMatchObject({ status: "running" });
      expect(suite.box.runtime("pause", "test").status).toBe(0);
      // Also what is paused can be killed.
      expect(suite.box.runtime("kill", "--all", "test", "KILL").status).toBe(0);
    });
    expect(outside(`ls -d ${top}/*/`)).toBe(`${top}/caller/`);
  });

  test("all processes of a container without a pid namespace are listed, signalled and killed", async () => {
    const script =
      "trap 'echo all >>/data/signals' USR1; (trap 'echo all >>/data/signals' USR1; while :; do sleep 1; done) & while :; do sleep 1; done";
    const bundle = suite.box.bundle(["sh", "-c", script], { namespaces, rest: { mounts: [] } });
    await suite.withCreated(bundle, () => {
      expect(suite.box.runtime("start", "test").status).toBe(0);
      const processes = () => JSON.parse(suite.box.runtime("ps", "--format", "json", "test").output) as number[];
      // The two shells; and what each of them waits for.
      while (processes().length < 4) Bun.sleepSync(1);
      expect(suite.box.runtime("kill", "--all", "test", "USR1").status).toBe(0);
      while (outside(`cat ${suite.box.rootfs}/data/signals 2>/dev/null || true`) !== "all\nall") Bun.sleepSync(1);
      expect(suite.box.runtime("kill", "test", "KILL").status).toBe(0);
      while (suite.stateOf()["status"] !== "stopped") Bun.sleepSync(1);
      // What the first process has left behind goes with the cgroup.
      expect(outside(`wc -l <${top}/test/cgroup.procs`)).not.toBe("0");
      expect(suite.box.runtime("delete", "test")).toEqual({ status: 0, output: "", errors: "" });
    });
    outside(`rm -f ${suite.box.rootfs}/data/*`);
    expect(outside(`ls -d ${top}/*/`)).toBe(`${top}/caller/`);
  });

  test("what has no controller is refused, and nothing is left", () => {
    const resources = { unified: { "bunker.max": "5" } };
    const bundle = suite.box.bundle(["true"], { linux: { resources } });
    expect(refusal("create", "--bundle", bundle, "test")).toContain("the controller bunker is not delegated");
    expect(outside(`ls -d ${top}/*/`)).toBe(`${top}/caller/`);
  });

  // Only root of the host can limit them.
  const testOfRoot = name === "root" ? test : undefined;
  testOfRoot?.("devices are limited by rules, of which the last that fits counts", async () => {
    const devices = [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 10, access: "rw" },
      { allow: false, type: "c", major: 10, minor: 229, access: "w" },
    ] as const;
    const linux = {
      resources: { devices },
      devices: [
        { type: "c", path: "/dev/loop-control", major: 10, minor: 237 },
        { type: "c", path: "/dev/fuse", major: 10, minor: 229 },
        { type: "c", path: "/dev/kmsg", major: 1, minor: 11 },
      ],
    } as const;
    const script = `for d in null fuse kmsg; do
      (: </dev/$d) 2>/dev/null && echo $d can be read; (: >/dev/$d) 2>/dev/null && echo $d can be written; done; true`;
    const all = ["null can be read", "null can be written", "fuse can be read"];
    expect(suite.box.shell(script, { linux }).split("\n")).toEqual(all);
    await suite.withCreated(suite.box.bundle(["sleep", "1000"], { linux }), () => {
      suite.box.runtime("start", "test");
      const file = suite.box.file("limits.json", JSON.stringify({ devices: [{ allow: false, access: "rwm" }] }));
      expect(suite.box.runtime("update", "--resources", file, "test")).toEqual({ status: 0, output: "", errors: "" });
      const shown = suite.box.runtime("exec", "test", "sh", "-c", script).output;
      expect(shown.trim().split("\n")).toEqual(all.slice(0, 2));
    });
  });
});
