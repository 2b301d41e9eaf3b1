import { expect, test } from "bun:test";
import { applyEdits } from "../../../../src/engine/devices/apply-edits.ts";
import type { ContainerEdits } from "../../../../src/engine/devices/device-specification.ts";
import type { Configuration } from "../../../../src/runtime/configuration/configuration.ts";

const configuration: Configuration = {
  ociVersion: "1.2.1",
  root: { path: "/root" },
  process: { cwd: "/", args: ["true"], env: ["A=1", "B=2"], user: { uid: 0, gid: 0, additionalGids: [0, 7] } },
  mounts: [
    { destination: "/proc", type: "proc" },
    { destination: "/dev/x", type: "bind", source: "/dev/old" },
  ],
  linux: {
    uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
    gidMappings: [
      { containerID: 0, hostID: 1000, size: 1 },
      { containerID: 1, hostID: 100_000, size: 999 },
    ],
  },
};

function edits(changes: Partial<ContainerEdits>): ContainerEdits {
  return { env: [], deviceNodes: [], mounts: [], hooks: [], additionalGids: [], ...changes };
}

const nodesOf = (_path: string, access: string) => [{ type: "c", major: 1, minor: 2, access } as const];
const apply = (changes: Partial<ContainerEdits>, to = configuration) => applyEdits(to, [edits(changes)], nodesOf);

test("variables, mounts, devices, groups and hooks are added, and stand for what is there", () => {
  const changed = apply({
    env: ["B=3", "C=x=y"],
    deviceNodes: [{ path: "/dev/x", hostPath: "/dev/y" }, { path: "/dev/z" }],
    mounts: [
      { hostPath: "/usr/lib/d.so", containerPath: "/usr/lib/d.so", options: ["ro", "nosuid"] },
      { hostPath: "/opt", containerPath: "/opt", options: ["bind", "rslave"], type: "" },
      { hostPath: "tmpfs", containerPath: "/run", options: ["size=1m"], type: "tmpfs" },
    ],
    hooks: [{ hookName: "createContainer", path: "/bin/hook", args: ["hook"], env: null, timeout: 3 }],
    additionalGids: [0, 44, 7],
  });
  expect(changed.process?.env).toEqual(["A=1", "B=3", "C=x=y"]);
  expect(changed.process?.user.additionalGids).toEqual([0, 7, 44]);
  const device = (destination: string, source: string) => ({
    destination,
    type: "bind",
    source,
    options: ["rbind", "rprivate", "nosuid", "noexec"],
  });
  const library = "/usr/lib/d.so";
  expect(changed.mounts).toEqual([
    { destination: "/proc", type: "proc" },
    { destination: "/opt", type: "bind", source: "/opt", options: ["bind", "rslave"] },
    { destination: "/run", type: "tmpfs", source: "tmpfs", options: ["size=1m"] },
    device("/dev/x", "/dev/y"),
    device("/dev/z", "/dev/z"),
    { destination: library, type: "bind", source: library, options: ["rbind", "rprivate", "ro", "nosuid"] },
  ]);
  const hook = { path: "/bin/hook", args: ["hook"], env: undefined, timeout: 3 };
  expect(changed.hooks).toEqual({ createContainer: [hook] });
  expect(changed.linux?.resources).toBeUndefined();
});

test("a variable without a value is another one than those whose names are shorter or longer", () => {
  const process = { cwd: "/", args: ["true"], user: { uid: 0, gid: 0 }, env: ["AB", "A=1", "ABC=2", "D"] };
  expect(apply({ env: ["D=3"] }, { ...configuration, process }).process?.env).toEqual(["AB", "A=1", "ABC=2", "D=3"]);
});

test("where devices are filtered, those that are given pass", () => {
  const filtered = { ...configuration, linux: { resources: { devices: [{ allow: false, access: "rwm" }] } } };
  const { linux } = apply({ deviceNodes: [{ path: "/dev/x", permissions: "rw" }, { path: "/dev/y" }] }, filtered);
  expect(linux?.resources?.devices).toEqual([
    { allow: false, access: "rwm" },
    { allow: true, type: "c", major: 1, minor: 2, access: "rw" },
    { allow: true, type: "c", major: 1, minor: 2, access: "rwm" },
  ]);
});

test.each([
  [{ additionalGids: [4000] }, {}, "give the group 4000: the container's user namespace has no such id"],
  [{ additionalGids: [44] }, { "run.oci.keep_original_groups": "1" }, "keep-groups"],
  [{ intelRdt: { closID: "x" } }, {}, "a class of the processors' caches (intelRdt)"],
  [{ netDevices: [{ hostInterfaceName: "eth0" }] }, {}, "a network device of the host (netDevices)"],
  [{ mounts: [{ hostPath: "/opt", containerPath: "/", options: [] }] }, {}, "a mount on /, which would hide"],
  [
    { mounts: [{ hostPath: "/opt", containerPath: "/x/..//", options: [] }] },
    {},
    "a mount on /x/..//, which would hide",
  ],
  [{ deviceNodes: [{ path: "//", hostPath: "/dev/null" }] }, {}, "a mount on //, which would hide"],
] as const)("%j cannot be had", (changes, annotations, reason) => {
  expect(() => apply(changes as Partial<ContainerEdits>, { ...configuration, annotations })).toThrow(reason);
});
