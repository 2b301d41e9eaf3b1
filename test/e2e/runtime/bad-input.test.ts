import { expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runtimeSuite } from "./suite.ts";

const suite = runtimeSuite();

/** Sets a member of nested objects and lists, making what is missing. */
function set(target: Record<string, unknown>, [first = "", second, ...rest]: readonly string[], value: unknown): void {
  if (second === undefined) {
    target[first] = value;
    return;
  }
  target[first] ??= /^\d+$/.test(second) ? [] : {};
  set(target[first] as Record<string, unknown>, [second, ...rest], value);
}

const created = (bundle: string) => suite.box.runtime("create", "--bundle", bundle, "test");

test.each([
  ["no JSON", "{", /config\.json: .+/],
  ["no object", "[]", /config\.json: expected an object, got an empty list/],
  ["no version", '{"root":{"path":"x"}}', /ociVersion: missing/],
  ["a version of the future", '{"ociVersion":"2.0.0","root":{"path":"x"}}', /ociVersion: expected a version 1\.x\.y/],
  ["no root", '{"ociVersion":"1.2.0"}', /root: missing/],
  ["no process", '{"ociVersion":"1.2.0","root":{"path":"/"}}', /the configuration has no process/],
])("%s", (_, text, expected) => {
  const { status, output, errors } = created(suite.box.rawBundle(text));
  expect({ status, output }).toEqual({ status: 1, output: "" });
  expect(errors).toMatch(/^bunker: [^\n]+\n(hint: [^\n]+\n)?$/);
  expect(errors).toMatch(expected);
});

test.each<[path: string, value: unknown]>([
  ["process.args", []],
  ["process.cwd", "relative"],
  ["process.env.0", "no-equals-sign"],
  ["process.rlimits.0.type", "RLIMIT_NONSENSE"],
  ["process.capabilities.bounding.0", 7],
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
  const configuration = JSON.parse(readFileSync(join(suite.box.bundle(["true"]), "config.json"), "utf8"));
  set(configuration, path.startsWith("linux.sysctl.") ? ["linux", "sysctl", "kernel.panic"] : path.split("."), value);
  const { status, errors } = created(suite.box.rawBundle(JSON.stringify(configuration)));
  expect(status).toBe(1);
  expect(errors).toContain(`config.json: ${path}: `);
});

test("a bundle that is not there", () => {
  expect(created(join(suite.box.path, "missing"))).toEqual({
    status: 1,
    output: "",
    errors: expect.stringMatching(/^bunker: .*\/missing\/config\.json: ENOENT \(no such file or directory\)\nhint: /),
  });
});

test("a root file system that is not there, or not readable", () => {
  const root = (path: string) => suite.box.bundle(["true"], { rest: { root: { path } } });
  expect(created(root(join(suite.box.path, "missing"))).errors).toMatch(
    /^bunker: find the root file system .*missing: ENOENT/,
  );
  const closed = suite.box.file("closed", "");
  expect(created(root(closed)).errors).toContain("ENOTDIR");
});

test.each([
  ["nothing", ["/bin/nothing"], 127, "bunker: execute /bin/nothing: no such file in the container: ENOENT"],
  ["nothing on PATH", ["nothing"], 127, "bunker: execute nothing: executable file not found in $PATH: ENOENT"],
  ["a directory", ["/bin"], 126, "bunker: execute /bin: EACCES"],
  ["a file that is no program", ["/etc/plain"], 126, "bunker: execute /etc/plain: EACCES"],
])("an entry point that is %s fails at create", (_, command, status, message) => {
  writeFileSync(join(suite.box.rootfs, "etc/plain"), "");
  const outcome = created(suite.box.bundle(command));
  expect(outcome.status).toBe(status);
  expect(outcome.errors).toStartWith(message);
});

test("an entry point on a noexec mount fails at create", () => {
  const mounts = [
    { destination: "/data", type: "bind", source: join(suite.box.rootfs, "bin"), options: ["bind", "noexec"] },
  ];
  expect(created(suite.box.bundle(["/data/busybox"], { mounts })).status).toBe(126);
});

test("an exec that fails at the start is told by start", () => {
  writeFileSync(join(suite.box.rootfs, "etc/garbage"), "\x7fELF nonsense", { mode: 0o755 });
  expect(created(suite.box.bundle(["/etc/garbage"])).status).toBe(0);
  const { status, errors } = suite.box.runtime("start", "test");
  expect({ status, errors }).toEqual({
    status: 126,
    errors: expect.stringMatching(
      /^bunker: execute \/etc\/garbage: ENOEXEC\nhint: it is neither a program for this machine \(\S+\) nor a script that begins with #!\n$/,
    ),
  });
  expect(suite.stateOf()["status"]).toBe("stopped");
  expect(suite.box.runtime("delete", "test").status).toBe(0);
});

test("a terminal needs a console socket, and a console socket a terminal", () => {
  expect(created(suite.box.bundle(["true"], { process: { terminal: true } })).errors).toContain("--console-socket");
  const { errors } = suite.box.runtime(
    "create",
    "--console-socket",
    "/x",
    "--bundle",
    suite.box.bundle(["true"]),
    "test",
  );
  expect(errors).toContain("the process has no terminal");
});

test("labels that the host cannot apply", () => {
  if (!existsSync("/sys/module/apparmor/parameters/enabled")) {
    expect(created(suite.box.bundle(["true"], { process: { apparmorProfile: "x" } })).errors).toContain(
      "AppArmor is not enabled",
    );
  }
  if (!existsSync("/sys/fs/selinux/enforce")) {
    const label = suite.box.bundle(["true"], { linux: { mountLabel: "x" } });
    expect(created(label).errors).toBe("bunker: apply the label x: SELinux is not enabled on this host\n");
    expect(created(suite.box.bundle(["true"], { process: { selinuxLabel: "x" } })).errors).toContain(
      "SELinux is not enabled",
    );
  }
});

test("members that are not implemented are refused, not passed over", () => {
  const refusal = (linux: NonNullable<Parameters<typeof suite.box.bundle>[1]>["linux"] = {}) =>
    created(suite.box.bundle(["true"], { linux })).errors;
  expect(refusal({ intelRdt: {} })).toBe(
    "bunker: create container: Bunker does not implement linux.intelRdt: it leaves the file system resctrl to the host's administrator\n",
  );
  expect(refusal({ netDevices: { eth7: {} } })).toContain("does not implement linux.netDevices: ");
});

test("a container without a mount namespace is refused", () => {
  expect(created(suite.box.bundle(["true"], { namespaces: ["user", "pid"] }))).toEqual({
    status: 1,
    output: "",
    errors:
      "bunker: create container: linux.namespaces: a container needs a mount namespace, or its root would become the host's\n",
  });
});

test("limits without a cgroup are refused, or a warning where that was asked for", async () => {
  const resources = { memory: { limit: 1 << 26 } };
  const bundle = suite.box.bundle(["sleep", "1000"], { linux: { resources } });
  // A path that nobody but root may make, whatever cgroups this host has.
  const refusedBundle = suite.box.bundle(["sleep", "1000"], { linux: { resources, cgroupsPath: "/bunker-test/none" } });
  expect(created(refusedBundle).errors).toMatch(
    /^bunker: limit the container's resources: no writable cgroup: .*\nhint: /,
  );
  expect(suite.box.runtime("--cgroup-manager=disabled", "run", "-d", "--bundle", bundle, "test")).toEqual({
    status: 0,
    output: "",
    errors: "warning: resource limits are not applied: control groups are disabled by --cgroup-manager (memory.max)\n",
  });
  for (const words of [["pause"], ["resume"], ["events", "--stats"], ["update", "--memory", "1m"]]) {
    const { status, errors } = suite.box.runtime(...words, "test");
    expect({ status, errors }).toEqual({
      status: 1,
      errors: expect.stringMatching(/^bunker: .* container test: it has no cgroup of its own\nhint: .*writable/),
    });
  }
  expect(suite.box.runtime("delete", "--force", "test").status).toBe(0);
});

test("errors are logged in the form that engines read", () => {
  const json = join(suite.box.path, "log.json");
  const text = join(suite.box.path, "log.text");
  expect(suite.box.runtime("--log", json, "--log-format=json", "start", "none").status).toBe(1);
  expect(JSON.parse(readFileSync(json, "utf8"))).toEqual({
    level: "error",
    msg: "container none does not exist",
    time: expect.any(String),
  });
  expect(suite.box.runtime("--log", text, "start", "none").errors).toBe("bunker: container none does not exist\n");
  expect(readFileSync(text, "utf8")).toMatch(/^time="[^"]+" level=error msg="container none does not exist"\n$/);
});
