import { describe, expect, test } from "bun:test";
import { parameterPath } from "../../../../src/runtime/configuration/check.ts";
import { parseConfiguration } from "../../../../src/runtime/configuration/configuration.ts";
import { wholeConfiguration, withMember } from "./whole-configuration.ts";

const whole = wholeConfiguration();

function parse(value: unknown) {
  return () => parseConfiguration(JSON.stringify(value), "/c");
}

function withoutNamespace(type: string) {
  const namespaces = whole.linux.namespaces.filter((namespace) => namespace.type !== type);
  return { ...whole, linux: { ...whole.linux, namespaces } };
}

describe("checkConfiguration", () => {
  const twice = { type: "RLIMIT_NOFILE", soft: 1, hard: 1 };
  test.each([
    ["process.cwd", "tmp", 'process.cwd: expected an absolute path, got "tmp"'],
    ["process.cwd", "", 'process.cwd: expected an absolute path, got ""'],
    ["process.env.0", "PATH", 'process.env.0: expected NAME=value, got "PATH"'],
    ["process.env.1", "=x", 'process.env.1: expected NAME=value, got "=x"'],
    ["process.rlimits", [twice, twice], "process.rlimits.1.type: RLIMIT_NOFILE is set twice"],
    ["process.rlimits.0.soft", 4097, "process.rlimits.0.soft: 4097 is above the hard limit of 4096"],
    ["process.scheduler.nice", 20, "process.scheduler.nice: expected an integer from -20 to 19, got 20"],
    ["process.scheduler.nice", 1, "process.scheduler.nice: has no meaning with SCHED_DEADLINE"],
    ["process.scheduler.priority", 1, "process.scheduler.priority: has no meaning with SCHED_DEADLINE"],
    ["process.scheduler.policy", "SCHED_OTHER", "process.scheduler.runtime: has no meaning with SCHED_OTHER"],
    [
      "process.scheduler",
      { policy: "SCHED_FIFO" },
      "process.scheduler.priority: expected an integer from 1 to 99 with SCHED_FIFO, got 0",
    ],
    ["process.scheduler", { policy: "SCHED_RR", priority: 100 }, "from 1 to 99 with SCHED_RR, got 100"],
    [
      "process.scheduler",
      { policy: "SCHED_IDLE", period: 1 },
      "process.scheduler.period: has no meaning with SCHED_IDLE",
    ],
    [
      "linux.devices.0",
      { type: "b", path: "/dev/x" },
      "linux.devices.0: expected major and minor numbers, as its type is not p",
    ],
    ["linux.namespaces.2.type", "mount", "linux.namespaces.2.type: mount is listed twice"],
    ["linux.namespaces.1.path", "ns/pid", 'linux.namespaces.1.path: expected an absolute path, got "ns/pid"'],
    ["linux.namespaces.7.path", "/proc/1/ns/time", "linux.timeOffsets: the clocks of a time namespace that is joined"],
    ["linux.uidMappings", [], "linux.uidMappings: a new user namespace needs at least one mapping"],
    ["linux.gidMappings", undefined, "linux.gidMappings: a new user namespace needs at least one mapping"],
    ["linux.gidMappings.1.size", 0, "linux.gidMappings.1.size: expected at least 1, got 0"],
    [
      "linux.uidMappings.1",
      { containerID: 5, hostID: 0xffff_fff0, size: 16 },
      "linux.uidMappings.1: ends beyond the last id, 4294967294",
    ],
    [
      "linux.uidMappings",
      [
        { containerID: 20, hostID: 1000, size: 10 },
        { containerID: 10, hostID: 2000, size: 10 },
        { containerID: 15, hostID: 3000, size: 1 },
      ],
      "linux.uidMappings.2.containerID: overlaps the ids of linux.uidMappings.1",
    ],
    [
      "mounts.0.gidMappings",
      [
        { containerID: 0, hostID: 1009, size: 10 },
        { containerID: 10, hostID: 1000, size: 10 },
      ],
      "mounts.0.gidMappings.1.hostID: overlaps the ids of mounts.0.gidMappings.0",
    ],
    [
      "linux.gidMappings",
      Array.from({ length: 341 }, (_, id) => ({ containerID: 2 * id, hostID: 2 * id, size: 1 })),
      "linux.gidMappings: expected at most 340 mappings, as the kernel takes no more, got 341",
    ],
    ["process.user.uid", 0xffff_ffff, "process.user.uid: expected an integer from 0 to 4294967294, got 4294967295"],
    ["process.user.gid", 0xffff_ffff, "process.user.gid: expected an integer from 0 to 4294967294, got 4294967295"],
    ["mounts.0.gidMappings", undefined, "mounts.0.gidMappings: must be given along with uidMappings"],
    ["mounts.0.uidMappings", undefined, "mounts.0.uidMappings: must be given along with gidMappings"],
    ["linux.sysctl", { "kernel.hostname": "x" }, "linux.sysctl.kernel.hostname: is set by the member hostname"],
    ["linux.sysctl", { "vm.swappiness": "1" }, "linux.sysctl.vm.swappiness: is not separate for each container"],
    ["linux.sysctl", { "kernel.pid_max": "1" }, "linux.sysctl.kernel.pid_max: is not separate for each container"],
    ["linux.sysctl", { "net/../kernel/core_pattern": "|/x" }, "is not separate for each container"],
    ["linux.sysctl", { "kernel.semaphore": "1" }, "is not separate for each container"],
    ["linux.sysctl", { net: "1" }, "is not separate for each container"],
  ])("%s = %j", (dotted, value, message) => {
    expect(parse(withMember(whole, dotted.split("."), value))).toThrow(message);
  });

  test.each([
    ["user", "linux.uidMappings: needs a user namespace in linux.namespaces"],
    ["time", "linux.timeOffsets: needs a time namespace in linux.namespaces"],
    ["uts", "hostname: needs a uts namespace in linux.namespaces"],
    ["mount", "linux.maskedPaths: needs a mount namespace in linux.namespaces"],
    ["network", "linux.netDevices: needs a network namespace in linux.namespaces"],
  ])("members that need a %s namespace", (type, message) => {
    expect(parse(withoutNamespace(type))).toThrow(message);
  });

  test.each([
    ["uts", { domainname: "domain", hostname: undefined }, "domainname: needs a uts namespace"],
    ["uts", { hostname: "h", domainname: undefined }, "hostname: needs a uts namespace"],
  ])("without a %s namespace and with %j", (type, members, message) => {
    expect(parse({ ...withoutNamespace(type), ...members })).toThrow(message);
  });

  test.each([
    ["kernel.msgmax", "ipc"],
    ["kernel.sem", "ipc"],
    ["kernel.shm_rmid_forced", "ipc"],
    ["fs.mqueue.msg_max", "ipc"],
    ["net.core.somaxconn", "network"],
    ["net/ipv4/conf/eth0.1/rp_filter", "network"],
    ["kernel.domainname", "uts"],
  ])("%s belongs to the %s namespace", (name, type) => {
    const sysctl = { [name]: "1" };
    expect(parse({ ...whole, linux: { ...whole.linux, sysctl } })()).toBeDefined();
    const { hostname, domainname, ...bare } = withoutNamespace(type);
    const { netDevices, ...linux } = bare.linux;
    const message = `linux.sysctl.${name}: needs a ${type} namespace in linux.namespaces`;
    expect(parse({ ...bare, linux: { ...linux, sysctl } })).toThrow(message);
  });

  test("a user namespace that is joined may come with mappings or without", () => {
    const namespaces = [{ type: "mount" }, { type: "user", path: "/proc/1/ns/user" }];
    const { root, ociVersion } = whole;
    expect(parse({ ociVersion, root, linux: { namespaces } })()).toBeDefined();
    const { uidMappings, gidMappings } = whole.linux;
    expect(parse({ ociVersion, root, linux: { namespaces, uidMappings, gidMappings } })()).toBeDefined();
  });

  test("a new user namespace must have mappings, whatever its empty path", () => {
    const { root, ociVersion } = whole;
    const linux = { namespaces: [{ type: "user", path: "" }] };
    expect(parse({ ociVersion, root, linux })).toThrow("linux.uidMappings: a new user namespace needs");
  });

  test("empty members need no namespace", () => {
    const { root, ociVersion } = whole;
    const linux = { namespaces: [], maskedPaths: [], timeOffsets: {}, uidMappings: [], sysctl: {} };
    expect(parse({ ociVersion, root, hostname: "", linux })()).toBeDefined();
  });
});

test.each([
  ["net.core.somaxconn", "net/core/somaxconn"],
  ["net/core/somaxconn", "net/core/somaxconn"],
  ["net.ipv4.conf.eth0/1.rp_filter", "net/ipv4/conf/eth0.1/rp_filter"],
  ["net/ipv4/conf/eth0.1/rp_filter", "net/ipv4/conf/eth0.1/rp_filter"],
])("parameterPath(%j) is %j", (name, path) => {
  expect(parameterPath(name)).toBe(path);
});
