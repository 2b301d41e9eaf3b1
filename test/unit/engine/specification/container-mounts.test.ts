import { describe, expect, test } from "bun:test";
import { type ContainerMountsInput, containerMounts } from "../../../../src/engine/specification/container-mounts.ts";
import type { BindMountRequest, PlacedRunOptions } from "../../../../src/engine/specification/run-options.ts";
import { CAPABILITY_NAMES } from "../../../../src/runtime/configuration/capabilities.ts";
import { runOptions } from "./run-options.ts";

const fullMap = {
  uidMappings: [{ containerID: 0, hostID: 0, size: 65537 }],
  gidMappings: [{ containerID: 0, hostID: 0, size: 65537 }],
};
const singleMap = {
  uidMappings: [{ containerID: 0, hostID: 0, size: 1 }],
  gidMappings: [{ containerID: 0, hostID: 0, size: 1 }],
};

function input(
  options: Partial<PlacedRunOptions> = {},
  changes: Partial<ContainerMountsInput> = {},
): ContainerMountsInput {
  return {
    options: runOptions(options),
    userNamespace: fullMap,
    files: { hosts: "/c/hosts", hostname: "/c/hostname", resolvConf: "/c/resolv.conf" },
    host: {
      hostname: "laptop",
      maskedPaths: [],
      devices: [],
      filtersDevices: false,
      deviceNodes: [],
      hasMessageQueues: true,
      capabilities: CAPABILITY_NAMES,
    },
    ...changes,
  };
}

function mountAt(
  destination: string,
  options: Partial<PlacedRunOptions> = {},
  changes: Partial<ContainerMountsInput> = {},
) {
  const found = containerMounts(input(options, changes)).filter((mount) => mount.destination === destination);
  expect(found.length).toBeLessThan(2);
  return found[0];
}

function bindRequest(changes: Partial<BindMountRequest> = {}): BindMountRequest {
  return {
    type: "bind",
    source: "/srv",
    destination: "/data",
    readOnly: false,
    createSource: false,
    propagation: "rprivate",
    recursive: true,
    recursiveReadOnly: false,
    relabel: undefined,
    givesToUser: false,
    isOverlay: false,
    options: [],
    ...changes,
  };
}

const protection = ["nosuid", "noexec", "nodev"];

describe("the mounts of every container", () => {
  test("are Docker's", () => {
    expect(containerMounts(input())).toEqual([
      { destination: "/proc", type: "proc", source: "proc", options: protection },
      {
        destination: "/dev",
        type: "tmpfs",
        source: "tmpfs",
        options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
      },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: [...protection, "ro"] },
      {
        destination: "/dev/pts",
        type: "devpts",
        source: "devpts",
        options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
      },
      { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: protection },
      {
        destination: "/dev/shm",
        type: "tmpfs",
        source: "shm",
        options: [...protection, "mode=1777", "size=67108864"],
      },
      { destination: "/etc/hosts", type: "bind", source: "/c/hosts", options: ["rbind", "rprivate", "rw"] },
      { destination: "/etc/hostname", type: "bind", source: "/c/hostname", options: ["rbind", "rprivate", "rw"] },
      { destination: "/etc/resolv.conf", type: "bind", source: "/c/resolv.conf", options: ["rbind", "rprivate", "rw"] },
      { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...protection, "ro"] },
    ]);
  });

  test("have no terminal group where the map has none", () => {
    const unmapped = mountAt("/dev/pts", {}, { userNamespace: singleMap })?.options;
    expect(unmapped).toEqual(["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]);
    expect(mountAt("/dev/pts", {}, { userNamespace: undefined })?.options).toContain("gid=5");
  });

  const noNamespace = { userNamespace: undefined };
  test.each([
    ["/proc", { pidNamespace: "host" }, {}, { type: "bind", source: "/proc", options: ["rbind", ...protection] }],
    ["/proc", { pidNamespace: "host" }, noNamespace, { type: "proc", source: "proc", options: protection }],
    ["/sys", { network: "host" }, {}, { type: "bind", source: "/sys", options: ["rbind", ...protection, "ro", "rro"] }],
    ["/sys", { network: "host" }, noNamespace, { type: "sysfs", source: "sysfs", options: [...protection, "ro"] }],
    [
      "/sys",
      { network: "host", privileged: true },
      {},
      { type: "bind", source: "/sys", options: ["rbind", ...protection] },
    ],
    ["/sys", { privileged: true }, {}, { type: "sysfs", source: "sysfs", options: protection }],
    [
      "/sys",
      { privileged: true, readOnly: true },
      {},
      { type: "sysfs", source: "sysfs", options: [...protection, "ro"] },
    ],
    ["/sys/fs/cgroup", { privileged: true }, {}, { type: "cgroup", source: "cgroup", options: protection }],
    ["/dev/shm", { ipcNamespace: "host" }, {}, { type: "bind", source: "/dev/shm", options: ["rbind", ...protection] }],
    [
      "/dev/shm",
      { ipcNamespace: { kind: "container", container: "other" } },
      {},
      { type: "bind", source: "/dev/shm", options: ["rbind", ...protection] },
    ],
    [
      "/dev/mqueue",
      { ipcNamespace: "host" },
      {},
      { type: "bind", source: "/dev/mqueue", options: ["rbind", ...protection] },
    ],
    [
      "/dev/shm",
      { sharedMemorySize: 1048576 },
      {},
      { type: "tmpfs", source: "shm", options: [...protection, "mode=1777", "size=1048576"] },
    ],
    ["/etc/hosts", { readOnly: true }, {}, { type: "bind", source: "/c/hosts", options: ["rbind", "rprivate", "ro"] }],
  ] as const)("%s with %j and %j", (destination, options, changes, expected) => {
    expect<unknown>(mountAt(destination, options, changes)).toEqual({ destination, ...expected });
  });

  test.each([
    ["/dev/shm", { ipcNamespace: "none" }, {}],
    ["/dev/mqueue", { ipcNamespace: "none" }, {}],
    ["/etc/hosts", {}, { files: { hosts: undefined, hostname: undefined, resolvConf: undefined } }],
    [
      "/dev/mqueue",
      { ipcNamespace: "host" },
      {
        host: {
          hostname: "laptop",
          maskedPaths: [],
          devices: [],
          filtersDevices: false,
          deviceNodes: [],
          hasMessageQueues: false,
          capabilities: CAPABILITY_NAMES,
        },
      },
    ],
  ] as const)("no %s with %j and %j", (destination, options, changes) => {
    expect(mountAt(destination, options, changes)).toBeUndefined();
  });
});

describe("what the user mounts", () => {
  test.each([
    [{}, ["rbind", "rw", "rprivate"]],
    [{ readOnly: true }, ["rbind", "ro", "rprivate"]],
    [{ readOnly: true, recursiveReadOnly: true }, ["rbind", "ro", "rro", "rprivate"]],
    [{ recursive: false, propagation: "rshared" }, ["bind", "rw", "rshared"]],
    [{ options: ["nosuid", "noexec"] }, ["rbind", "rw", "rprivate", "nosuid", "noexec"]],
  ] as const)("bind with %j", (changes, options) => {
    expect(mountAt("/data", { mounts: [bindRequest(changes)] })).toEqual({
      destination: "/data",
      type: "bind",
      source: "/srv",
      options: [...options],
    });
  });

  test("tmpfs", () => {
    const options = ["noexec", "nosuid", "nodev", "size=64m"];
    expect(mountAt("/run", { mounts: [{ type: "tmpfs", destination: "/run", options }] })).toEqual({
      destination: "/run",
      type: "tmpfs",
      source: "tmpfs",
      options,
    });
  });

  test("replaces what would have been there", () => {
    for (const destination of ["/dev/shm", "/sys", "/etc/hosts", "/proc"]) {
      expect(mountAt(destination, { mounts: [bindRequest({ destination })] })).toMatchObject({ source: "/srv" });
    }
  });

  test("a /dev replaces everything below it that is not the user's or asked for", () => {
    const mounts = [bindRequest({ destination: "/dev/shm" }), bindRequest({ destination: "/dev" })];
    const below = containerMounts(input({ mounts, init: true })).filter(({ destination }) =>
      destination.startsWith("/dev"),
    );
    expect(below.map(({ destination }) => destination)).toEqual(["/dev", "/dev/shm"]);
  });

  test("comes after its parents, whatever the order of the options", () => {
    const destinations = ["/a/b/c", "/sys/fs/cgroup/x", "/a", "/dev/pts/y/z", "/a/b"];
    const mounts = destinations.map((destination) => bindRequest({ destination }));
    const order = containerMounts(input({ mounts })).map(({ destination }) => destination);
    for (const [index, destination] of order.entries()) {
      const later = order.slice(index + 1);
      expect(later.filter((other) => destination.startsWith(`${other}/`))).toEqual([]);
    }
    expect(order).toEqual(expect.arrayContaining(destinations));
  });

  test.each([
    { mounts: [bindRequest(), bindRequest()] },
    { mounts: [bindRequest(), { type: "tmpfs", destination: "/data", options: [] }] },
    { mounts: [bindRequest()], devices: [{ hostPath: "/dev/fuse", containerPath: "/data", permissions: "rwm" }] },
  ] satisfies Partial<PlacedRunOptions>[])("only once at one place: %j", (options) => {
    expect(() => containerMounts(input(options))).toThrow("mount /data: duplicate mount point");
  });
});

describe("devices", () => {
  test.each(["rwm", "rw", "wmr"])("are bound with permissions %s", (permissions) => {
    const devices = [{ hostPath: "/dev/fuse", containerPath: "/dev/myfuse", permissions }];
    expect(mountAt("/dev/myfuse", { devices })).toEqual({
      destination: "/dev/myfuse",
      type: "bind",
      source: "/dev/fuse",
      options: ["rbind", "rprivate", "nosuid", "noexec"],
    });
  });

  test.each(["r", "w", "m", "rm", ""])("are refused with permissions %j", (permissions) => {
    const devices = [{ hostPath: "/dev/fuse", containerPath: "/dev/fuse", permissions }];
    expect(() => containerMounts(input({ devices }))).toThrow(
      expect.objectContaining({ code: "unsupported_device_permissions", object: "/dev/fuse" }),
    );
  });

  test("are bound with any permissions where a filter sees to them", () => {
    const devices = [{ hostPath: "/dev/fuse", containerPath: "/dev/fuse", permissions: "r" }];
    const { host, ...others } = input({ devices });
    const filtered = { ...others, userNamespace: undefined, host: { ...host, filtersDevices: true } };
    expect(containerMounts(filtered)).toContainEqual(expect.objectContaining({ source: "/dev/fuse" }));
  });

  test("of the host are bound to where they are, but not over the user's", () => {
    const host = {
      hostname: "laptop",
      maskedPaths: [],
      devices: ["/dev/dri/card0", "/dev/fuse"],
      filtersDevices: false,
      deviceNodes: [],
      hasMessageQueues: true,
      capabilities: CAPABILITY_NAMES,
    };
    const devices = [{ hostPath: "/dev/other", containerPath: "/dev/fuse", permissions: "rwm" }];
    expect(mountAt("/dev/dri/card0", { devices }, { host })?.source).toBe("/dev/dri/card0");
    expect(mountAt("/dev/fuse", { devices }, { host })?.source).toBe("/dev/other");
  });
});
