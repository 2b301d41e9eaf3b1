import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { NamespaceType } from "../../src/runtime/configuration/namespaces.ts";
import type { FileDescriptor } from "../../src/sys/file-descriptor.ts";
import { allocate } from "../../src/sys/memory.ts";
import { check, SystemCall, systemCall } from "../../src/sys/system-call.ts";
import { executable } from "../executable.ts";
import { RuntimeSandbox, testUser } from "../runtime-sandbox.ts";
import { UnixListener } from "../unix-listener.ts";
import { eventually, finish } from "../unprivileged-user.ts";

let box: RuntimeSandbox;
beforeAll(() => {
  executable();
  box = new RuntimeSandbox(testUser("bunker-test"));
}, 120_000);
afterAll(() => box[Symbol.dispose]());
afterEach(() => {
  const leftovers = box.leftovers();
  box.cleanUp();
  expect(leftovers).toEqual([]);
});

/** Creates the container `test`, and deletes it whatever `use` does. */
async function withCreated(bundle: string, use: () => Promise<void> | void, sandbox = box): Promise<void> {
  const { status, errors } = sandbox.runtime("create", "--bundle", bundle, "test");
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  try {
    await use();
  } finally {
    sandbox.runtime("delete", "--force", "test");
  }
}

/** Creates and starts a container that sleeps until it is deleted. */
async function withRunning(use: () => Promise<void> | void, changes: Parameters<typeof box.bundle>[1] = {}) {
  await withCreated(box.bundle(["sleep", "1000"], changes), async () => {
    expect(box.runtime("start", "test")).toEqual({ status: 0, output: "", errors: "" });
    await use();
  });
}

function stateOf(id = "test"): Record<string, unknown> {
  return JSON.parse(box.runtime("state", id).output);
}

describe("lifecycle", () => {
  test("a container is created, started, signalled and deleted", async () => {
    const script = 'trap "exit 9" TERM; echo started >/data/log; while :; do sleep 0.01; done';
    const bundle = box.bundle(["sh", "-c", script], { rest: { annotations: { "org.example": "yes" } } });
    const log = join(box.rootfs, "data/log");
    await withCreated(bundle, async () => {
      expect(stateOf()).toEqual({
        ociVersion: "1.2.0",
        id: "test",
        pid: expect.any(Number),
        status: "created",
        bundle,
        rootfs: box.rootfs,
        created: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        annotations: { "org.example": "yes" },
        owner: "bunker-test",
      });
      expect(existsSync(log)).toBe(false);
      expect(box.runtime("start", "test").status).toBe(0);
      expect(stateOf()["status"]).toBe("running");
      await eventually(
        () => existsSync(log),
        () => "the container to write",
      );
      expect(box.runtime("start", "test").errors).toBe("bunker: start container test: it is running, not created\n");
      expect(box.runtime("delete", "test")).toMatchObject({ status: 1 });
      expect(box.runtime("kill", "test", "SIGTERM").status).toBe(0);
      await eventually(
        () => stateOf()["status"] === "stopped",
        () => "the container to stop",
      );
      expect(stateOf()["pid"]).toBe(0);
      expect(box.runtime("kill", "test").errors).toBe("bunker: signal container test: the container is not running\n");
      expect(box.runtime("delete", "test")).toEqual({ status: 0, output: "", errors: "" });
      expect(box.runtime("state", "test")).toEqual({
        status: 1,
        output: "",
        errors: "bunker: container test does not exist\n",
      });
      expect(box.runtime("delete", "test").status).toBe(1);
      expect(box.runtime("delete", "--force", "test").status).toBe(0);
    });
    rmSync(log);
  });

  test("an id is taken once", async () => {
    const bundle = box.bundle(["true"]);
    await withCreated(bundle, () => {
      expect(box.runtime("create", "--bundle", bundle, "test")).toEqual({
        status: 1,
        output: "",
        errors: "bunker: create container test: a container with that id exists\n",
      });
      expect(stateOf()["status"]).toBe("created");
    });
  });

  test.each(["..", ".", "a/b", "", "a b", "é"])("%j is no id", (id) => {
    expect(box.runtime("create", "--bundle", box.bundle(["true"]), "--", id)).toMatchObject({ status: 1 });
  });

  test("a created container that is killed never starts", async () => {
    await withCreated(box.bundle(["true"]), async () => {
      expect(box.runtime("kill", "test", "9").status).toBe(0);
      await eventually(
        () => stateOf()["status"] === "stopped",
        () => "the container to stop",
      );
      expect(box.runtime("start", "test")).toMatchObject({ status: 1 });
    });
  });

  test.each([
    ["exit 0", 0],
    ["exit 3", 3],
    ["kill -9 $$", 0],
  ])("run ends as the container does: %s", (script, status) => {
    // A signal that process 1 sends to itself has no effect.
    expect(box.run(["sh", "-c", script])).toEqual({ status, output: "", errors: "" });
  });

  test("run --detach leaves the container running, and list shows it", async () => {
    const pidFile = join(box.path, "pid");
    const bundle = box.bundle(["sleep", "1000"]);
    expect(box.runtime("run", "--detach", "--pid-file", pidFile, "--bundle", bundle, "test").status).toBe(0);
    const pid = Number(readFileSync(pidFile, "utf8"));
    expect(stateOf()).toMatchObject({ status: "running", pid });
    expect(box.runtime("list", "--quiet").output).toBe("test\n");
    expect(JSON.parse(box.runtime("list", "-f", "json").output)).toMatchObject([{ id: "test", pid }]);
    expect(box.runtime("list").output).toMatch(
      new RegExp(`^ID +PID +STATUS +BUNDLE +CREATED +OWNER\ntest +${pid} +running +${bundle} +\\S+ +bunker-test\n$`),
    );
    expect(JSON.parse(box.runtime("ps", "-f", "json", "test").output)).toEqual([pid]);
    expect(box.runtime("ps", "test").output).toMatch(new RegExp(`\n1\\d+ +${pid} +\\d+ +\\S+ +\\S+ +sleep 1000\n$`));
    expect(box.runtime("kill", "--all", "test", "KILL").status).toBe(0);
    await eventually(
      () => stateOf()["status"] === "stopped",
      () => "the container to stop",
    );
    expect(box.runtime("kill", "--all", "test", "KILL").status).toBe(0);
    expect(box.runtime("delete", "test").status).toBe(0);
  });

  test("run --keep keeps the record", () => {
    expect(box.runtime("run", "--keep", "--bundle", box.bundle(["false"]), "test").status).toBe(1);
    expect(stateOf()["status"]).toBe("stopped");
    expect(box.runtime("delete", "test").status).toBe(0);
  });

  test("signals of a foreground run reach the container", async () => {
    const script = 'trap "echo got; exit 5" TERM; echo ready; while :; do sleep 0.01; done';
    const child = box.start("run", "--bundle", box.bundle(["sh", "-c", script]), "test");
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    expect(Buffer.from(value ?? []).toString()).toBe("ready\n");
    child.kill("SIGTERM");
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("got\n");
    expect(await child.exited).toBe(5);
  });

  test("a create that is killed in the middle leaves a record that can be deleted, and no process", async () => {
    const bundle = box.bundle(["true"], {
      rest: { hooks: { createContainer: [{ path: "/bin/sleep", args: ["sleep", "1000"], env: [box.mark] }] } },
    });
    const child = box.start("create", "--bundle", bundle, "test");
    await eventually(
      () => box.leftovers().length >= 4,
      () => "the hook to run",
    );
    expect(stateOf()["status"]).toBe("creating");
    child.kill("SIGKILL");
    await child.exited;
    // The hook does not know; it is the administrator's program.
    for (const line of box.leftovers())
      if (line.startsWith("process")) process.kill(Number(line.split(" ")[1]), "SIGKILL");
    await eventually(
      () => !box.leftovers().some((line) => line.startsWith("process")),
      () => `no process: ${box.leftovers()}`,
    );
    expect(stateOf()).toMatchObject({ status: "stopped", pid: 0 });
    expect(box.runtime("start", "test").status).toBe(1);
    expect(box.runtime("delete", "test")).toEqual({ status: 0, output: "", errors: "" });
  });

  test("a create that is killed takes the waiting child along", async () => {
    // The runtime itself waits for this hook, in the kernel.
    const script = "while kill -0 $PPID; do sleep 0.01; done 2>&-";
    const hooks = { createRuntime: [{ path: "/bin/sh", args: ["sh", "-c", script] }] };
    const bundle = box.bundle(["true"], { rest: { hooks } });
    const child = box.start("create", "--bundle", bundle, "test");
    await eventually(
      () => existsSync(join(box.stateRoot, "test/state.json")) && stateOf()["status"] === "creating",
      () => "the creation to begin",
    );
    child.kill("SIGKILL");
    await child.exited;
    await eventually(
      () => !box.leftovers().some((line) => line.startsWith("process")),
      () => `no process: ${box.leftovers()}`,
    );
    expect(box.runtime("delete", "test").status).toBe(0);
  });
});

describe("bad input", () => {
  const created = (bundle: string) => box.runtime("create", "--bundle", bundle, "test");

  test.each([
    ["no JSON", "{", /config\.json: .+/],
    ["no object", "[]", /config\.json: expected an object, got an empty list/],
    ["no version", '{"root":{"path":"x"}}', /ociVersion: missing/],
    ["a version of the future", '{"ociVersion":"2.0.0","root":{"path":"x"}}', /ociVersion: expected a version 1\.x\.y/],
    ["no root", '{"ociVersion":"1.2.0"}', /root: missing/],
    ["no process", '{"ociVersion":"1.2.0","root":{"path":"/"}}', /the configuration has no process/],
  ])("%s", (_, text, expected) => {
    const { status, output, errors } = created(box.rawBundle(text));
    expect({ status, output }).toEqual({ status: 1, output: "" });
    expect(errors).toMatch(/^bunker: [^\n]+\n(hint: [^\n]+\n)?$/);
    expect(errors).toMatch(expected);
  });

  test.each<[path: string, value: unknown]>([
    ["process.args", []],
    ["process.cwd", "relative"],
    ["process.env.0", "no-equals-sign"],
    ["process.rlimits.0.type", "RLIMIT_NONSENSE"],
    ["process.capabilities.bounding.0", "CAP_NONSENSE"],
    ["process.user.uid", -1],
    ["process.oomScoreAdj", 5000],
    ["process.scheduler.policy", "SCHED_NONSENSE"],
    ["process.ioPriority.class", "IOPRIO_NONSENSE"],
    ["mounts.0.destination", 7],
    ["linux.namespaces.0.type", "nonsense"],
    ["linux.uidMappings.0.size", 0],
    ["linux.seccomp.defaultAction", "SCMP_ACT_NONSENSE"],
    ["linux.rootfsPropagation", "nonsense"],
    ["linux.sysctl.kernel.panic", "1"],
    ["linux.devices.0.type", "x"],
    ["linux.personality.domain", "OTHER"],
    ["linux.resources.memory.limit", "lots"],
    ["hooks.poststop.0.path", "relative"],
    ["annotations.key", 1],
  ])("the member %s is named", (path, value) => {
    const configuration = JSON.parse(readFileSync(join(box.bundle(["true"]), "config.json"), "utf8"));
    set(configuration, path.startsWith("linux.sysctl.") ? ["linux", "sysctl", "kernel.panic"] : path.split("."), value);
    const { status, errors } = created(box.rawBundle(JSON.stringify(configuration)));
    expect(status).toBe(1);
    expect(errors).toContain(`config.json: ${path}: `);
  });

  test("a bundle that is not there", () => {
    expect(created(join(box.path, "missing"))).toEqual({
      status: 1,
      output: "",
      errors: expect.stringMatching(/^bunker: .*\/missing\/config\.json: ENOENT \(no such file or directory\)\nhint: /),
    });
  });

  test("a root file system that is not there, or not readable", () => {
    const root = (path: string) => box.bundle(["true"], { rest: { root: { path } } });
    expect(created(root(join(box.path, "missing"))).errors).toMatch(
      /^bunker: find the root file system .*missing: ENOENT/,
    );
    const closed = box.file("closed", "");
    expect(created(root(closed)).errors).toContain("ENOTDIR");
  });

  test.each([
    ["nothing", ["/bin/nothing"], 127, "bunker: execute /bin/nothing: no such file in the container: ENOENT"],
    ["nothing on PATH", ["nothing"], 127, "bunker: execute nothing: executable file not found in $PATH: ENOENT"],
    ["a directory", ["/bin"], 126, "bunker: execute /bin: EACCES"],
    ["a file that is no program", ["/etc/plain"], 126, "bunker: execute /etc/plain: EACCES"],
  ])("an entry point that is %s fails at create", (_, command, status, message) => {
    writeFileSync(join(box.rootfs, "etc/plain"), "");
    const outcome = created(box.bundle(command));
    expect(outcome.status).toBe(status);
    expect(outcome.errors).toStartWith(message);
  });

  test("an entry point on a noexec mount fails at create", () => {
    const mounts = [
      { destination: "/data", type: "bind", source: join(box.rootfs, "bin"), options: ["bind", "noexec"] },
    ];
    expect(created(box.bundle(["/data/busybox"], { mounts })).status).toBe(126);
  });

  test("an exec that fails at the start is told by start", () => {
    writeFileSync(join(box.rootfs, "etc/garbage"), "\x7fELF nonsense", { mode: 0o755 });
    expect(created(box.bundle(["/etc/garbage"])).status).toBe(0);
    const { status, errors } = box.runtime("start", "test");
    expect({ status, errors }).toEqual({ status: 126, errors: "bunker: execute /etc/garbage: ENOEXEC\n" });
    expect(stateOf()["status"]).toBe("stopped");
    expect(box.runtime("delete", "test").status).toBe(0);
  });

  test("a terminal needs a console socket, and a console socket a terminal", () => {
    expect(created(box.bundle(["true"], { process: { terminal: true } })).errors).toContain("--console-socket");
    const { errors } = box.runtime("create", "--console-socket", "/x", "--bundle", box.bundle(["true"]), "test");
    expect(errors).toContain("the process has no terminal");
  });

  test("labels that the host cannot apply", () => {
    if (!existsSync("/sys/module/apparmor/parameters/enabled")) {
      expect(created(box.bundle(["true"], { process: { apparmorProfile: "x" } })).errors).toContain(
        "AppArmor is not enabled",
      );
    }
    if (!existsSync("/sys/fs/selinux/enforce")) {
      const label = box.bundle(["true"], { linux: { mountLabel: "x" } });
      expect(created(label).errors).toBe("bunker: apply the label x: SELinux is not enabled on this host\n");
      expect(created(box.bundle(["true"], { process: { selinuxLabel: "x" } })).errors).toContain(
        "SELinux is not enabled",
      );
    }
  });

  test("members that are not implemented are refused, not passed over", () => {
    const refusal = (linux: NonNullable<Parameters<typeof box.bundle>[1]>["linux"] = {}) =>
      created(box.bundle(["true"], { linux })).errors;
    expect(refusal({ intelRdt: {} })).toBe("bunker: create container: Bunker does not implement linux.intelRdt\n");
    expect(refusal({ netDevices: { eth7: {} } })).toContain("does not implement linux.netDevices");
  });

  test("limits without a cgroup are a warning, and cannot be changed", async () => {
    const bundle = box.bundle(["sleep", "1000"], { linux: { resources: { memory: { limit: 1 << 26 } } } });
    expect(box.runtime("run", "-d", "--bundle", bundle, "test")).toEqual({
      status: 0,
      output: "",
      errors: "warning: resource limits are not applied: no writable cgroup (linux.resources: memory)\n",
    });
    for (const words of [["pause"], ["resume"], ["events", "--stats"], ["update", "--memory", "1"]]) {
      const { status, errors } = box.runtime(...words, "test");
      expect({ status, errors }).toEqual({
        status: 1,
        errors: expect.stringMatching(/^bunker: .* container test: no writable cgroup: .*\nhint: .*delegated/),
      });
    }
    expect(box.runtime("delete", "--force", "test").status).toBe(0);
  });

  test("errors are logged in the form that engines read", () => {
    const json = join(box.path, "log.json");
    const text = join(box.path, "log.text");
    expect(box.runtime("--log", json, "--log-format=json", "start", "none").status).toBe(1);
    expect(JSON.parse(readFileSync(json, "utf8"))).toEqual({
      level: "error",
      msg: "container none does not exist",
      time: expect.any(String),
    });
    expect(box.runtime("--log", text, "start", "none").errors).toBe("bunker: container none does not exist\n");
    expect(readFileSync(text, "utf8")).toMatch(/^time="[^"]+" level=error msg="container none does not exist"\n$/);
  });
});

/** Sets a member of nested objects and lists, making what is missing. */
function set(target: Record<string, unknown>, [first = "", second, ...rest]: readonly string[], value: unknown): void {
  if (second === undefined) {
    target[first] = value;
    return;
  }
  target[first] ??= /^\d+$/.test(second) ? [] : {};
  set(target[first] as Record<string, unknown>, [second, ...rest], value);
}

describe("hooks", () => {
  const hook = (name: string) => ({ path: "/bin/sh", args: ["sh", "-c", `cat >${box.path}/${name}.json`] });
  const shown = (name: string) => JSON.parse(readFileSync(join(box.path, `${name}.json`), "utf8"));

  test("each kind gets the state on its standard input", async () => {
    const hooks = {
      prestart: [hook("prestart")],
      createRuntime: [hook("createRuntime")],
      createContainer: [hook("createContainer")],
      // The file system is the container's by then.
      startContainer: [{ path: "/bin/sh", args: ["sh", "-c", "cat >/data/startContainer.json"] }],
      poststart: [hook("poststart")],
      poststop: [hook("poststop")],
    };
    const bundle = box.bundle(["sleep", "1000"], { rest: { hooks, annotations: { a: "b" } } });
    await withCreated(bundle, () => {
      const state = { ociVersion: "1.2.0", id: "test", bundle, annotations: { a: "b" } };
      const { pid } = stateOf();
      expect(shown("prestart")).toEqual({ ...state, pid, status: "creating" });
      expect(shown("createRuntime")).toEqual({ ...state, pid, status: "creating" });
      expect(shown("createContainer")).toMatchObject({ ...state, pid });
      expect(existsSync(join(box.rootfs, "data/startContainer.json"))).toBe(false);
      expect(box.runtime("start", "test").status).toBe(0);
      expect(JSON.parse(readFileSync(join(box.rootfs, "data/startContainer.json"), "utf8"))).toMatchObject(state);
      expect(shown("poststart")).toMatchObject({ ...state, pid, status: "running" });
      expect(existsSync(join(box.path, "poststop.json"))).toBe(false);
    });
    expect(shown("poststop")).toMatchObject({ id: "test", status: "stopped" });
  });

  test.each(["prestart", "createRuntime", "createContainer"])("%s that fails ends the creation", (kind) => {
    const failing = [{ path: "/bin/sh", args: ["sh", "-c", "exit 3"] }];
    const { status, errors } = box.runtime(
      "create",
      "--bundle",
      box.bundle(["true"], { rest: { hooks: { [kind]: failing } } }),
      "test",
    );
    expect(status).toBe(1);
    expect(errors).toMatch(/^bunker: run hook \/bin\/sh: (exit )?status 3\n/);
  });

  test.each(["createRuntime", "createContainer"])("%s that exceeds its timeout is killed", (kind) => {
    const slow = [{ path: "/bin/sleep", args: ["sleep", "1000"], env: [box.mark], timeout: 1 }];
    const { status, errors } = box.runtime(
      "create",
      "--bundle",
      box.bundle(["true"], { rest: { hooks: { [kind]: slow } } }),
      "test",
    );
    expect(status).toBe(1);
    expect(errors).toContain("run hook /bin/sleep: it ran longer than its timeout of 1 s");
  });

  test("startContainer that fails is told by start", async () => {
    const hooks = { startContainer: [{ path: "/bin/false" }] };
    await withCreated(box.bundle(["true"], { rest: { hooks } }), () => {
      const { status, errors } = box.runtime("start", "test");
      expect(status).toBe(1);
      expect(errors).toStartWith("bunker: run hook /bin/false: status 1\n");
    });
  });

  test("poststart and poststop that fail are warnings", () => {
    const hooks = { poststart: [{ path: "/bin/false" }], poststop: [{ path: `${box.path}/missing` }, hook("last")] };
    const { status, errors } = box.run(["true"], { rest: { hooks } });
    expect({ status, errors }).toEqual({
      status: 0,
      errors: `warning: run hook /bin/false: exit status 1\nwarning: run hook ${box.path}/missing: ENOENT\n`,
    });
    expect(shown("last")).toMatchObject({ status: "stopped" });
  });
});

describe("namespaces", () => {
  const files: Readonly<Record<NamespaceType, string>> = {
    user: "user",
    mount: "mnt",
    pid: "pid",
    ipc: "ipc",
    uts: "uts",
    network: "net",
    cgroup: "cgroup",
    time: "time",
  };
  const identity = (type: NamespaceType, pid: unknown) => readlinkSync(`/proc/${pid}/ns/${files[type]}`);
  const every = Object.keys(files) as NamespaceType[];

  test("all eight are the container's own, and exec joins them", async () => {
    const timeOffsets = { boottime: { secs: 1_000_000_000, nanosecs: 0 }, monotonic: { secs: 5, nanosecs: 7 } };
    await withRunning(
      () => {
        const { pid } = stateOf();
        for (const type of every) expect([type, identity(type, pid)]).not.toEqual([type, identity(type, "self")]);
        const { output } = box.runtime("exec", "test", "sh", "-c", "for n in /proc/self/ns/*; do readlink $n; done");
        for (const type of every) expect(output).toContain(identity(type, pid));
        const uptime = box.runtime("exec", "test", "cat", "/proc/uptime").output;
        expect(Number(uptime.split(" ")[0])).toBeGreaterThan(1_000_000_000);
        expect(readFileSync(`/proc/${pid}/timens_offsets`, "utf8")).toMatch(
          /monotonic +5 +7\nboottime +1000000000 +0\n/,
        );
      },
      { namespaces: every, linux: { timeOffsets } },
    );
  });

  test("namespaces that are not listed are the caller's", () => {
    const namespaces: readonly NamespaceType[] = ["user", "mount", "pid"];
    const shown = box.shell("for n in ipc uts net; do readlink /proc/self/ns/$n; done", { namespaces });
    expect(shown.split("\n")).toEqual((["ipc", "uts", "network"] as const).map((type) => identity(type, "self")));
  });

  test("a container joins another's by path", async () => {
    await withRunning(() => {
      const { pid } = stateOf();
      const joined: readonly NamespaceType[] = ["user", "ipc", "network", "pid", "uts"];
      const linux = {
        namespaces: [
          ...joined.map((type) => ({ type, path: `/proc/${pid}/ns/${files[type]}` })),
          { type: "mount" as const },
        ],
        uidMappings: undefined,
        gidMappings: undefined,
      };
      const bundle = box.bundle(["sh", "-c", "for n in /proc/self/ns/*; do readlink $n; done; ps"], { linux });
      const { status, output, errors } = box.runtime("run", "--bundle", bundle, "second");
      expect({ status, errors }).toEqual({ status: 0, errors: "" });
      for (const type of joined) expect(output).toContain(identity(type, pid));
      expect(output).not.toContain(identity("mount", pid));
      expect(output).toMatch(/\n +1 .*sleep 1000\n/);
    });
  });

  test("a path that is no such namespace", () => {
    const linux = {
      namespaces: [{ type: "mount" as const }, { type: "ipc" as const, path: "/proc/self/ns/none" }],
      uidMappings: undefined,
      gidMappings: undefined,
    };
    const { status, errors } = box.runtime("create", "--bundle", box.bundle(["true"], { linux }), "test");
    expect({ status, errors }).toEqual({
      status: 1,
      errors: "bunker: open the ipc namespace /proc/self/ns/none: ENOENT (no such file or directory)\n",
    });
  });

  test("the host's and domain's names", () => {
    const rest = { hostname: "inside", domainname: "example.org" };
    expect(box.shell("hostname; cat /proc/sys/kernel/domainname", { rest })).toBe("inside\nexample.org");
  });

  test("the whole id map", () => {
    const { subordinate, uid } = box.user;
    const map = box.shell("cat /proc/self/uid_map").trim().split(/\s+/).map(Number);
    expect(map).toEqual([0, uid, 1, 1, subordinate ?? 0, 65536]);
    expect(box.shell("id", { process: { user: { uid: 1000, gid: 100, additionalGids: [7, 8] } } })).toBe(
      "uid=1000 gid=100 groups=7,8",
    );
  });

  test("an id that is not mapped is refused", () => {
    const { status, errors } = box.run(["true"], { process: { user: { uid: 70000, gid: 0 } } });
    expect(status).toBe(1);
    expect(errors).toBe("bunker: become user 70000: EINVAL\nhint: the id must be inside the container's id map\n");
  });
});

describe("a user without subordinate ids", () => {
  let bare: RuntimeSandbox;
  beforeAll(() => {
    bare = new RuntimeSandbox(testUser("bunker-bare"));
  });
  afterAll(() => bare[Symbol.dispose]());

  test("has a container with their own id alone", () => {
    expect(bare.shell("cat /proc/self/setgroups; id").split("\n")).toEqual([
      "deny",
      expect.stringMatching(/^uid=0 gid=0/),
    ]);
    expect(bare.leftovers()).toEqual([]);
  });

  test("cannot have groups, nor ids of others", () => {
    const groups = { process: { user: { uid: 0, gid: 0, additionalGids: [5] } } };
    expect(bare.run(["true"], groups).errors).toContain("set supplementary groups 5");
    const uidMappings = [{ containerID: 0, hostID: 100000, size: 2 }];
    const { status, errors } = bare.run(["true"], { linux: { uidMappings } });
    expect(status).toBe(1);
    expect(errors).toMatch(/^bunker: map ids by newuidmap 0 100000 2: .*\nhint: .*subuid/s);
    expect(bare.leftovers()).toEqual([]);
  });
});

describe("mounts", () => {
  const mountLine = (lines: string, place: string) =>
    lines.split("\n").find((line) => line.split(" ")[4] === place) ?? `no mount on ${place}`;

  test("options of each family", () => {
    const source = join(box.path, "source");
    mkdirSync(join(source, "sub"), { recursive: true });
    const file = box.file("bound", "content of the file");
    const mounts = [
      { destination: "/m/ro", type: "tmpfs", source: "tmpfs", options: ["ro", "size=4096", "mode=700"] },
      { destination: "/m/strict", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "noexec", "noatime"] },
      { destination: "/m/last-wins", type: "tmpfs", source: "tmpfs", options: ["ro", "rw", "nodiratime"] },
      { destination: "/m/bind", type: "bind", source, options: ["bind", "ro", "nosuid"] },
      { destination: "/m/file", type: "bind", source: file, options: ["bind"] },
      { destination: "/m/rro", type: "bind", source, options: ["rbind", "rro", "rnosuid"] },
      { destination: "/m/private", type: "bind", source, options: ["rbind", "rprivate"] },
      { destination: "/m/shared", type: "bind", source, options: ["rbind", "rshared"] },
      { destination: "/m/slave", type: "bind", source, options: ["rbind", "rslave"] },
      { destination: "/m/unbindable", type: "bind", source, options: ["bind", "unbindable"] },
    ];
    const lines = box.shell("cat /proc/self/mountinfo", { mounts });
    expect(mountLine(lines, "/m/ro")).toMatch(/ ro,.* - tmpfs tmpfs .*size=4k.*mode=700/);
    expect(mountLine(lines, "/m/strict")).toContain(" rw,nosuid,nodev,noexec,noatime ");
    expect(mountLine(lines, "/m/last-wins")).toMatch(/ rw,[^ ]*nodiratime/);
    expect(mountLine(lines, "/m/bind")).toMatch(/ ro,nosuid/);
    expect(mountLine(lines, "/m/rro")).toMatch(/ ro,nosuid/);
    expect(mountLine(lines, "/m/private")).not.toMatch(/shared:|master:|unbindable/);
    expect(mountLine(lines, "/m/shared")).toMatch(/ shared:\d+ /);
    expect(mountLine(lines, "/m/unbindable")).toContain(" unbindable ");
    expect(box.shell("cat /m/file", { mounts })).toBe("content of the file");
  });

  test("rro reaches mounts below, ro does not", () => {
    const base = [
      { destination: "/m/outer", type: "tmpfs", source: "tmpfs" },
      { destination: "/m/outer/inner", type: "tmpfs", source: "tmpfs" },
    ];
    const inner = (option: string) =>
      box.run(["touch", "/m/outer/inner/x"], {
        mounts: [...base, { destination: "/m/outer", options: ["remount", "bind", option] }],
      }).status;
    expect(inner("ro")).toBe(0);
    expect(inner("rro")).toBe(1);
  });

  test("tmpcopyup starts a tmpfs with what it hides", () => {
    const hidden = join(box.rootfs, "data/hidden");
    mkdirSync(join(hidden, "deep"), { recursive: true });
    writeFileSync(join(hidden, "deep/file"), "x".repeat(100_000));
    const commands = [
      `chmod 4710 ${hidden}/deep/file`,
      `ln -s /etc/passwd ${hidden}/link`,
      `mkfifo -m 600 ${hidden}/fifo`,
      `chmod 1770 ${hidden}`,
      `chown -hR ${box.user.uid}:${box.user.gid} ${hidden}`,
      `setfattr -n user.note -v kept ${hidden}/deep/file`,
      `touch -d @1000000000 ${hidden}/deep/file ${hidden}/deep`,
      `chown -hR ${(box.user.subordinate ?? 0) + 4}:${box.user.gid} ${hidden}/deep`,
      // Changing the owner has cleared the set-user-id bit.
      `chmod 4710 ${hidden}/deep/file`,
    ];
    expect(Bun.spawnSync(["sh", "-ec", commands.join("\n")]).stderr.toString()).toBe("");
    const options = ["tmpcopyup", "ro"];
    const mounts = [{ destination: "/data/hidden", type: "tmpfs", source: "tmpfs", options }];
    const script = "cd /data/hidden; stat -c '%n %A %u:%g %s %Y' . link deep deep/file fifo; readlink link; touch new";
    const { output, errors } = box.run(["sh", "-c", script], { mounts });
    const lines = output.split("\n");
    expect(lines[0]).toStartWith(". drwxrwx--T 0:0 ");
    expect(lines[1]).toStartWith("link lrwxrwxrwx 0:0 11 ");
    expect(lines[2]).toMatch(/^deep drwxr-xr-x 5:0 \d+ 1000000000$/);
    expect(lines[3]).toBe("deep/file -rws--x--- 5:0 100000 1000000000");
    expect(lines[4]).toStartWith("fifo prw------- 0:0 0 ");
    expect(lines[5]).toBe("/etc/passwd");
    expect(errors).toContain("Read-only file system");
    rmSync(hidden, { recursive: true });
  });

  test("tmpcopyup is for tmpfs", () => {
    const mounts = [{ destination: "/data", type: "proc", source: "proc", options: ["tmpcopyup"] }];
    expect(box.run(["true"], { mounts }).errors).toBe(
      "bunker: mount proc on /data: option tmpcopyup is for tmpfs only\n",
    );
  });

  test("masked and read-only paths", () => {
    const linux = { maskedPaths: ["/etc/secret", "/data", "/none"], readonlyPaths: ["/etc", "/none"] };
    writeFileSync(join(box.rootfs, "etc/secret"), "secret");
    writeFileSync(join(box.rootfs, "data/secret"), "secret");
    const script = "cat /etc/secret; ls /data; touch /etc/x || echo read-only; touch /data/x || echo masked";
    const { output } = box.run(["sh", "-c", script], { linux });
    expect(output).toBe("read-only\nmasked\n");
    rmSync(join(box.rootfs, "data/secret"));
  });

  test("a read-only root", () => {
    expect(box.run(["touch", "/x"], { rest: { root: { path: box.rootfs, readonly: true } } }).status).toBe(1);
  });

  test("the default devices and links, and one more", () => {
    const devices = [{ type: "c" as const, path: "/dev/my/zero", major: 1, minor: 5 }];
    const script = "head -c 3 /dev/my/zero | wc -c; echo x >/dev/null; readlink /dev/fd; readlink /dev/ptmx; ls /dev";
    const lines = box.shell(script, { linux: { devices } }).split("\n");
    expect(lines.slice(0, 3)).toEqual(["3", "/proc/self/fd", "pts/ptmx"]);
    expect(lines.slice(3)).toEqual([
      "fd",
      "full",
      "my",
      "null",
      "ptmx",
      "pts",
      "random",
      "stderr",
      "stdin",
      "stdout",
      "tty",
      "urandom",
      "zero",
    ]);
  });
});

describe("process attributes", () => {
  const status = (fields: string, process: Parameters<typeof box.run>[1] = {}) =>
    box.shell(`grep -E '^(${fields}):' /proc/self/status`, process).replaceAll("\t", " ");

  test("five capability sets", () => {
    const capabilities = {
      bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN"],
      permitted: ["CAP_CHOWN", "CAP_KILL"],
      effective: ["CAP_CHOWN"],
      inheritable: ["CAP_KILL"],
      ambient: ["CAP_KILL"],
    } as const;
    // Of what root executes, only an ambient set is kept when the bounding set gives nothing: so by another user.
    const user = { uid: 1000, gid: 1000 };
    expect(status("Cap.*", { process: { user, capabilities } })).toBe(
      [
        "CapInh: 0000000000000020",
        "CapPrm: 0000000000000020",
        "CapEff: 0000000000000020",
        "CapBnd: 0000000000200021",
        "CapAmb: 0000000000000020",
      ].join("\n"),
    );
    expect(status("Cap(Prm|Eff|Bnd)", { process: { capabilities } })).toBe(
      "CapPrm: 0000000000200021\nCapEff: 0000000000200021\nCapBnd: 0000000000200021",
    );
    expect(status("Cap(Prm|Eff|Bnd)")).toBe(
      "CapPrm: 0000000000000000\nCapEff: 0000000000000000\nCapBnd: 0000000000000000",
    );
  });

  test("no-new-privileges, umask, groups", () => {
    const process = { noNewPrivileges: true, user: { uid: 3, gid: 4, umask: 0o027, additionalGids: [5, 6] } };
    expect(
      status("NoNewPrivs|Umask|Groups|Uid|Gid", { process })
        .split("\n")
        .map((line) => line.trimEnd()),
    ).toEqual(["Umask: 0027", "Uid: 3 3 3 3", "Gid: 4 4 4 4", "Groups: 5 6", "NoNewPrivs: 1"]);
  });

  test("limits, OOM score, scheduling, I/O priority, personality", () => {
    const changes = {
      process: {
        rlimits: [{ type: "RLIMIT_NOFILE" as const, soft: 77, hard: 88 }],
        oomScoreAdj: 500,
        scheduler: { policy: "SCHED_BATCH" as const, nice: 7 },
        ioPriority: { class: "IOPRIO_CLASS_IDLE" as const, priority: 0 },
      },
      linux: { personality: { domain: "LINUX32" as const } },
    };
    const script =
      "ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; cut -d' ' -f19,41 /proc/self/stat; ionice; uname -m";
    const machine = process.arch === "x64" ? "i686" : "armv8l";
    expect(box.shell(script, changes).split("\n")).toEqual(["77", "88", "500", "7 3", "idle", machine]);
  });

  test("kernel parameters of the container's own", () => {
    const sysctl = { "net.ipv4.ip_forward": "1", "net/ipv4/conf/all/forwarding": "1", "kernel.shm_rmid_forced": "1" };
    const files = "/proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced";
    expect(box.shell(`cat ${files}`, { linux: { sysctl } })).toBe("1\n1");
  });

  test("descriptors: only the preserved ones", () => {
    const bundle = box.bundle(["sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; cat <&4"]);
    const words = box.words("run", "--preserve-fds", "2", "--bundle", bundle, "test");
    const given = box.file("given", "from four");
    const shell = ["sh", "-c", 'exec 3</dev/null 4<"$0" 5</dev/null; exec "$@"', given, ...words];
    const { stdout, stderr } = Bun.spawnSync(shell, { env: box.environment });
    // The last one is ls's own.
    expect({ output: stdout.toString(), errors: stderr.toString() }).toEqual({
      output: "0 1 2 3 4 5 from four",
      errors: "",
    });
  });

  test("a working directory that is missing is made", () => {
    expect(box.shell("pwd", { process: { cwd: "/made/for/it" } })).toBe("/made/for/it");
    rmSync(join(box.rootfs, "made"), { recursive: true });
  });

  test.each(["/proc/self/fd/7", "/proc/1/root", "/proc/self/fd/3/../../../.."])(
    "cwd %s does not reach the host",
    (cwd) => {
      const { status: exit, output } = box.run(["sh", "-c", "ls ../../../../work ../../../home /proc/self/cwd/"], {
        process: { cwd },
      });
      expect(exit).not.toBe(0);
      expect(output).toBe("");
    },
  );

  test("a command behind /proc/self/fd does not reach the host", () => {
    for (const descriptor of [3, 4, 5, 6, 7, 8, 9, 10]) {
      const { status: exit, output } = box.run([`/proc/self/fd/${descriptor}/../../../bin/echo`, "escaped"]);
      expect([exit, output]).toEqual([127, ""]);
    }
  });
});

describe("terminal", () => {
  test("its master goes to the console socket", async () => {
    const path = join(box.path, "console");
    using listener = new UnixListener(path);
    Bun.spawnSync(["chmod", "777", path]);
    const process = { terminal: true, consoleSize: { height: 33, width: 99 } };
    const bundle = box.bundle(["sh", "-c", "tty; stty size; ls -l /dev/console >&2; read x; echo got $x"], { process });
    const child = box.start("create", "--console-socket", path, "--bundle", bundle, "test");
    const { text, descriptor } = await listener.receive();
    using master = descriptor;
    expect(text).toBe("/dev/pts/ptmx");
    expect(await child.exited).toBe(0);
    expect(box.runtime("start", "test").status).toBe(0);
    writeFileSync(master.number, "hello\n");
    expect(readTerminal(master)).toMatch(/^(hello\r\n)?\/dev\/pts\/0\r\n33 99\r\n[\s\S]*got hello\r\n$/);
    expect(box.runtime("delete", "--force", "test").status).toBe(0);
    rmSync(path);
  });

  test("in the foreground it is ours", async () => {
    const bundle = box.bundle(["sh", "-c", "tty; stty size; read x; echo got $x; exit 4"], {
      process: { terminal: true },
    });
    let shown = "";
    const child = Bun.spawn(box.words("run", "--bundle", bundle, "test"), {
      env: box.environment,
      terminal: { cols: 91, rows: 31, data: (_, data) => (shown += Buffer.from(data).toString()) },
    });
    await eventually(
      () => shown.includes("31 91"),
      () => `the size; there is ${shown}`,
    );
    child.terminal?.write("hello\r");
    expect(await child.exited).toBe(4);
    expect(shown).toContain("/dev/pts/0\r\n31 91\r\n");
    expect(shown).toContain("got hello\r\n");
  });
});

/** Reads a terminal's master until nobody has the other side. */
function readTerminal(master: FileDescriptor): string {
  const buffer = Buffer.alloc(4096);
  let text = "";
  for (;;) {
    try {
      text += buffer.toString("utf8", 0, readSync(master.number, buffer));
    } catch {
      // EIO: the last one has closed it.
      return text;
    }
  }
}

describe("exec", () => {
  test("in all variants", async () => {
    await withRunning(
      async () => {
        const exec = (...words: string[]) => box.runtime("exec", ...words);
        expect(exec("test", "sh", "-c", "exit 12")).toEqual({ status: 12, output: "", errors: "" });
        expect(exec("test", "sh", "-c", "kill -9 $$").status).toBe(137);
        expect(exec("test", "none")).toMatchObject({ status: 127 });
        expect(exec("test", "/etc")).toMatchObject({ status: 126 });
        expect(exec("test").errors).toBe("bunker: exec needs COMMAND, or a process by --process\n");
        expect(exec("none", "true").errors).toBe("bunker: container none does not exist\n");
        expect(
          exec(
            "-e",
            "A=1",
            "--env",
            "B=two words",
            "--cwd",
            "/bin",
            "-u",
            "5:6",
            "-g",
            "7",
            "-g",
            "8",
            "test",
            "sh",
            "-c",
            'echo "$A,$B"; pwd; id',
          ).output,
        ).toBe("1,two words\n/bin\nuid=5 gid=6 groups=7,8\n");
        const privileges = exec(
          "--no-new-privs",
          "--cap",
          "CAP_KILL",
          "test",
          "grep",
          "-E",
          "NoNewPrivs|CapEff",
          "/proc/self/status",
        );
        expect(privileges.output).toBe("CapEff:\t0000000000000020\nNoNewPrivs:\t1\n");
        const file = box.file(
          "process.json",
          JSON.stringify({
            args: ["sh", "-c", "id -u; pwd"],
            cwd: "/bin",
            env: ["PATH=/bin"],
            user: { uid: 9, gid: 9 },
          }),
        );
        expect(exec("--process", file, "test").output).toBe("9\n/bin\n");
        expect(exec("--process", box.file("bad.json", '{"args":[]}'), "test").errors).toContain(
          "bad.json: args: expected a list",
        );
        if (!existsSync("/sys/module/apparmor/parameters/enabled")) {
          expect(exec("--apparmor", "x", "test", "true").errors).toContain("AppArmor is not enabled");
        }

        const pidFile = join(box.path, "exec-pid");
        expect(exec("--detach", "--pid-file", pidFile, "test", "sleep", "1000").status).toBe(0);
        const pid = Number(readFileSync(pidFile, "utf8"));
        expect(readlinkSync(`/proc/${pid}/ns/pid`)).toBe(readlinkSync(`/proc/${stateOf()["pid"]}/ns/pid`));
        expect(JSON.parse(box.runtime("ps", "-f", "json", "test").output)).toContain(pid);
        // Nothing of the host is open in it.
        expect(readdirSync(`/proc/${pid}/fd`)).toEqual(["0", "1", "2"]);
        // It has the container's filter.
        expect(/^Seccomp:\t(\d)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]).toBe("2");
      },
      {
        linux: {
          seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["reboot"], action: "SCMP_ACT_ERRNO" }] },
        },
      },
    );
    expect(box.runtime("exec", "test", "true")).toMatchObject({ status: 1 });
  });

  test("with a terminal, ours or by a console socket", async () => {
    await withRunning(async () => {
      let shown = "";
      const child = Bun.spawn(box.words("exec", "-t", "test", "sh", "-c", "tty; stty size; exit 7"), {
        env: box.environment,
        terminal: { cols: 80, rows: 24, data: (_, data) => (shown += Buffer.from(data).toString()) },
      });
      expect(await child.exited).toBe(7);
      expect(shown).toBe("/dev/pts/0\r\n24 80\r\n");

      const path = join(box.path, "console");
      using listener = new UnixListener(path);
      Bun.spawnSync(["chmod", "777", path]);
      const other = box.start("exec", "--tty", "--detach", "--console-socket", path, "test", "tty");
      using master = (await listener.receive()).descriptor;
      expect(await other.exited).toBe(0);
      expect(readTerminal(master)).toBe("/dev/pts/0\r\n");
      rmSync(path);
    });
  });
});

describe("seccomp", () => {
  const SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100;
  const SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101;

  test("a listener's descriptor goes to the agent, which answers", async () => {
    const path = join(box.path, "agent");
    using agent = new UnixListener(path);
    Bun.spawnSync(["chmod", "777", path]);
    const seccomp = {
      defaultAction: "SCMP_ACT_ALLOW" as const,
      listenerPath: path,
      listenerMetadata: "for the agent",
      syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY" as const }],
    };
    const bundle = box.bundle(["sh", "-c", "mkdir /data/never; echo $?"], { linux: { seccomp } });
    const child = box.start("run", "--bundle", bundle, "test");
    const { text, descriptor } = await agent.receive();
    using listener = descriptor;
    expect(JSON.parse(text)).toMatchObject({
      ociVersion: "1.2.0",
      fds: ["seccompFd"],
      pid: expect.any(Number),
      metadata: "for the agent",
      state: { id: "test", bundle, status: "creating" },
    });
    const request = allocate(80);
    check(systemCall(SystemCall.ioctl, listener.number, SECCOMP_IOCTL_NOTIF_RECV, request.address), "receive");
    const response = allocate(24);
    request.buffer.copy(response.buffer, 0, 0, 8);
    const EXDEV = 18;
    response.view.setInt32(16, -EXDEV, true);
    check(systemCall(SystemCall.ioctl, listener.number, SECCOMP_IOCTL_NOTIF_SEND, response.address), "answer");
    expect(await finish(child)).toMatchObject({
      status: 0,
      output: "1\n",
      errors: "mkdir: can't create directory '/data/never': Invalid cross-device link\n",
    });
    rmSync(path);
  });

  test("an agent that is not there", () => {
    const seccomp = {
      defaultAction: "SCMP_ACT_ALLOW" as const,
      listenerPath: join(box.path, "nobody"),
      syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" as const }],
    };
    const { status, errors } = box.run(["true"], { linux: { seccomp } });
    expect({ status, errors }).toEqual({
      status: 1,
      errors: expect.stringMatching(/^bunker: connect to .*nobody: ENOENT/),
    });
  });
});

describe("the command line", () => {
  test("--version is runc's", () => {
    expect(box.runtime("--version").output).toMatch(/^bunker-runtime version \S+\ncommit: \S+\nspec: 1\.2\.0\n$/);
  });

  test("spec writes a configuration that runs", () => {
    const directory = join(box.path, "example");
    mkdirSync(directory);
    Bun.spawnSync(["sh", "-c", `ln -s ${box.rootfs} ${directory}/rootfs; chown ${box.user.uid} ${directory}`]);
    expect(box.runtime("spec", "--rootless", "-b", directory)).toEqual({ status: 0, output: "", errors: "" });
    const path = join(directory, "config.json");
    const example = JSON.parse(readFileSync(path, "utf8"));
    example.process.terminal = false;
    example.process.args = ["hostname"];
    writeFileSync(path, JSON.stringify(example));
    expect(box.runtime("run", "-b", directory, "test")).toEqual({ status: 0, output: "bunker\n", errors: "" });
    expect(box.runtime("spec", "-b", directory).errors).toContain("EEXIST");
  });

  test("features is true of this runtime", () => {
    const features = JSON.parse(box.runtime("features").output);
    expect(features).toMatchObject({ ociVersionMin: "1.0.0", ociVersionMax: "1.2.0" });
    expect(features.linux.namespaces).toHaveLength(8);
    expect(features.linux.cgroup.v2).toBe(false);
    expect(features.linux.seccomp.supportedFlags).toContain("SECCOMP_FILTER_FLAG_LOG");
    expect(features.mountOptions).toContain("tmpcopyup");
  });

  test("mistakes end in one line and status 1", () => {
    expect(box.runtime("start")).toMatchObject({ status: 1 });
    expect(box.runtime("create", "--bundel", ".", "x").errors).toBe(
      "bunker: unknown option --bundel; did you mean --bundle?\n",
    );
    expect(box.runtime("kill", "x", "SIGTREM").status).toBe(1);
  });
});

describe("as root", () => {
  let root: RuntimeSandbox;
  beforeAll(() => {
    root = new RuntimeSandbox(testUser("root"));
  });
  afterAll(() => root[Symbol.dispose]());
  afterEach(() => {
    const leftovers = root.leftovers();
    root.cleanUp();
    expect(leftovers).toEqual([]);
  });

  test("a container without a user namespace", async () => {
    await withCreated(
      root.bundle(["sleep", "1000"]),
      () => {
        expect(root.runtime("start", "test").status).toBe(0);
        const { pid } = JSON.parse(root.runtime("state", "test").output);
        expect(readlinkSync(`/proc/${pid}/ns/user`)).toBe(readlinkSync("/proc/self/ns/user"));
        expect(root.runtime("exec", "test", "sh", "-c", "id -u; cat /proc/self/uid_map").output).toMatch(
          /^0\n +0 +0 +4294967295\n$/,
        );
        expect(root.runtime("exec", "-u", "12:13", "test", "id").output).toBe("uid=12 gid=13\n");
      },
      root,
    );
  });

  test("device nodes are made with their mode and owner", () => {
    const devices = [{ type: "c" as const, path: "/dev/mine", major: 1, minor: 3, fileMode: 0o640, uid: 4, gid: 5 }];
    expect(root.shell("stat -c '%A %u:%g %t:%T' /dev/mine", { linux: { devices } })).toBe("crw-r----- 4:5 1:3");
  });

  test("a container in a user namespace of ids of others", () => {
    const uidMappings = [{ containerID: 0, hostID: 200000, size: 1000 }];
    const namespaces: readonly NamespaceType[] = ["user", "mount", "pid", "ipc", "uts", "network", "cgroup"];
    Bun.spawnSync(["chown", "-hR", "200000:200000", root.rootfs]);
    const shown = root.shell("cat /proc/self/uid_map; id -u", {
      namespaces,
      linux: { uidMappings, gidMappings: uidMappings },
    });
    expect(shown.trim().split(/\s+/)).toEqual(["0", "200000", "1000", "0"]);
    Bun.spawnSync(["chown", "-hR", "0:0", root.rootfs]);
  });

  test("hooks, and a terminal in the foreground", async () => {
    const marker = join(root.path, "hook");
    const hooks = { createRuntime: [{ path: "/bin/sh", args: ["sh", "-c", `cat >${marker}`] }] };
    expect(root.run(["true"], { rest: { hooks } })).toEqual({ status: 0, output: "", errors: "" });
    expect(JSON.parse(readFileSync(marker, "utf8"))).toMatchObject({ id: "test" });
    let shown = "";
    const bundle = root.bundle(["tty"], { process: { terminal: true } });
    const child = Bun.spawn(root.words("run", "--bundle", bundle, "test"), {
      env: root.environment,
      terminal: { data: (_, data) => (shown += Buffer.from(data).toString()) },
    });
    expect(await child.exited).toBe(0);
    expect(shown).toBe("/dev/pts/0\r\n");
  });
});
