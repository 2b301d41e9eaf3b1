import { expect, test } from "bun:test";
import { readFileSync, readlinkSync } from "node:fs";
import type { NamespaceType } from "../../../src/runtime/configuration/namespaces.ts";
import { eventually } from "../../unprivileged-user.ts";
import { runtimeSuite } from "./suite.ts";

const suite = runtimeSuite();

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
  await suite.withRunning(
    () => {
      const { pid } = suite.stateOf();
      for (const type of every) expect([type, identity(type, pid)]).not.toEqual([type, identity(type, "self")]);
      const { output } = suite.box.runtime(
        "exec",
        "test",
        "sh",
        "-c",
        "for n in /proc/self/ns/*; do readlink $n; done",
      );
      for (const type of every) expect(output).toContain(identity(type, pid));
      const uptime = suite.box.runtime("exec", "test", "cat", "/proc/uptime").output;
      expect(Number(uptime.split(" ")[0])).toBeGreaterThan(1_000_000_000);
      expect(readFileSync(`/proc/${pid}/timens_offsets`, "utf8")).toMatch(/monotonic +5 +7\nboottime +1000000000 +0\n/);
    },
    { namespaces: every, linux: { timeOffsets } },
  );
});

test("namespaces that are not listed are the caller's", () => {
  const namespaces: readonly NamespaceType[] = ["user", "mount", "pid"];
  const shown = suite.box.shell("for n in ipc uts net; do readlink /proc/self/ns/$n; done", { namespaces });
  expect(shown.split("\n")).toEqual((["ipc", "uts", "network"] as const).map((type) => identity(type, "self")));
});

test("a container joins another's by path", async () => {
  await suite.withRunning(() => {
    const { pid } = suite.stateOf();
    const joined: readonly NamespaceType[] = ["user", "ipc", "network", "pid", "uts"];
    const linux = {
      namespaces: [
        ...joined.map((type) => ({ type, path: `/proc/${pid}/ns/${files[type]}` })),
        { type: "mount" as const },
      ],
      uidMappings: undefined,
      gidMappings: undefined,
    };
    const bundle = suite.box.bundle(["sh", "-c", "for n in /proc/self/ns/*; do readlink $n; done; ps"], { linux });
    const { status, output, errors } = suite.box.runtime("run", "--bundle", bundle, "second");
    expect({ status, errors }).toEqual({ status: 0, errors: "" });
    for (const type of joined) expect(output).toContain(identity(type, pid));
    expect(output).not.toContain(identity("mount", pid));
    expect(output).toMatch(/\n +1 .*sleep 1000\n/);
  });
});

test("of a container among the processes of another one only its own are listed and killed", async () => {
  await suite.withRunning(async () => {
    const { pid } = suite.stateOf();
    const linux = {
      namespaces: [
        ...(["user", "pid"] as const).map((type) => ({ type, path: `/proc/${pid}/ns/${type}` })),
        { type: "mount" as const },
      ],
      uidMappings: undefined,
      gidMappings: undefined,
    };
    const bundle = suite.box.bundle(["sh", "-c", "sleep 1001 & sleep 1002; :"], { linux });
    expect(suite.box.runtime("run", "--detach", "--bundle", bundle, "second")).toMatchObject({ status: 0 });
    const processes = () => JSON.parse(suite.box.runtime("ps", "-f", "json", "second").output) as number[];
    await eventually(
      () => processes().length === 3,
      () => "three processes",
    );
    expect(processes()).not.toContain(pid);
    expect(suite.box.runtime("kill", "--all", "second", "KILL").status).toBe(0);
    await eventually(
      () => processes().length === 0,
      () => "none to be left",
    );
    expect(suite.stateOf()).toMatchObject({ status: "running" });
    expect(suite.box.runtime("delete", "second").status).toBe(0);
  });
});

test("a path that is no such namespace", () => {
  const linux = {
    namespaces: [{ type: "mount" as const }, { type: "ipc" as const, path: "/proc/self/ns/none" }],
    uidMappings: undefined,
    gidMappings: undefined,
  };
  const { status, errors } = suite.box.runtime("create", "--bundle", suite.box.bundle(["true"], { linux }), "test");
  expect({ status, errors }).toEqual({
    status: 1,
    errors: "bunker: open the ipc namespace /proc/self/ns/none: ENOENT (no such file or directory)\n",
  });
});

test("the host's and domain's names", () => {
  const rest = { hostname: "inside", domainname: "example.org" };
  expect(suite.box.shell("hostname; cat /proc/sys/kernel/domainname", { rest })).toBe("inside\nexample.org");
});

test("the whole id map", () => {
  const { subordinate, uid } = suite.box.user;
  const map = suite.box.shell("cat /proc/self/uid_map").trim().split(/\s+/).map(Number);
  expect(map).toEqual([0, uid, 1, 1, subordinate ?? 0, 65536]);
  expect(suite.box.shell("id", { process: { user: { uid: 1000, gid: 100, additionalGids: [7, 8] } } })).toBe(
    "uid=1000 gid=100 groups=7,8",
  );
});

test("an id that is not mapped is refused", () => {
  const { status, errors } = suite.box.run(["true"], { process: { user: { uid: 70000, gid: 0 } } });
  expect(status).toBe(1);
  expect(errors).toBe("bunker: become user 70000: EINVAL\nhint: the id must be inside the container's id map\n");
});
