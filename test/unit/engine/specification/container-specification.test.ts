import { describe, expect, test } from "bun:test";
import type { ContainerInput } from "../../../../src/engine/specification/container-input.ts";
import { containerSpecification } from "../../../../src/engine/specification/container-specification.ts";
import type { PlacedRunOptions } from "../../../../src/engine/specification/run-options.ts";
import { CAPABILITY_NAMES } from "../../../../src/runtime/configuration/capabilities.ts";
import { formatConfiguration, parseConfiguration } from "../../../../src/runtime/configuration/configuration.ts";
import { UNLIMITED } from "../../../../src/runtime/configuration/resource-limit-types.ts";
import { runOptions } from "./run-options.ts";

const fullMap = {
  uidMappings: [{ containerID: 0, hostID: 0, size: 65537 }],
  gidMappings: [{ containerID: 0, hostID: 0, size: 65537 }],
};
const singleMap = {
  uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
  gidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
};

function input(options: Partial<PlacedRunOptions> = {}, changes: Partial<ContainerInput> = {}): ContainerInput {
  return {
    id: "0123456789abcdef0123456789abcdef",
    options: runOptions(options),
    image: { command: ["/bin/sh"], environment: ["PATH=/bin"] },
    defaultUser: "",
    rootPath: "/store/rootfs",
    passwdText: "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n",
    groupText: "root:x:0:root\nbin:x:1:root,daemon\nalice:x:1000:\naudio:x:29:alice\n",
    userNamespace: fullMap,
    files: { hosts: "/c/hosts", hostname: "/c/hostname", resolvConf: "/c/resolv.conf" },
    cgroupsPath: undefined,
    consoleSize: { height: 24, width: 80 },
    resolveSeccomp: (profileJson, capabilities) => ({
      defaultAction: "SCMP_ACT_ERRNO",
      listenerMetadata: `${profileJson ?? "default"} for ${capabilities.length}`,
    }),
    host: {
      hostname: "laptop",
      maskedPaths: ["/sys/hot"],
      devices: [],
      filtersDevices: true,
      deviceNodes: [],
      hasMessageQueues: true,
      capabilities: CAPABILITY_NAMES,
    },
    ...changes,
  };
}

function specification(options: Partial<PlacedRunOptions> = {}, changes: Partial<ContainerInput> = {}) {
  return containerSpecification(input(options, changes));
}

function namespaces(options: Partial<PlacedRunOptions> = {}, changes: Partial<ContainerInput> = {}) {
  return specification(options, changes).linux?.namespaces?.map(({ type }) => type);
}

describe("a container without options", () => {
  const { mounts, linux, process, ...rest } = specification();
  const { capabilities, ...processRest } = process ?? {};
  const { maskedPaths, ...linuxRest } = linux ?? {};

  test("has Docker's process", () => {
    expect(processRest).toEqual({
      terminal: false,
      user: { uid: 0, gid: 0, additionalGids: [0, 1] },
      args: ["/bin/sh"],
      env: ["PATH=/bin", "HOSTNAME=0123456789ab", "HOME=/root"],
      cwd: "/",
      rlimits: [],
      noNewPrivileges: false,
    });
    expect(capabilities?.bounding).toHaveLength(14);
    expect(capabilities).toEqual({
      bounding: capabilities?.bounding,
      effective: capabilities?.bounding,
      permitted: capabilities?.bounding,
    });
  });

  test("has namespaces, a filter and protected paths", () => {
    expect(linuxRest).toEqual({
      namespaces: ["mount", "network", "uts", "pid", "ipc", "cgroup", "user"].map((type) => ({ type })) as never,
      ...fullMap,
      seccomp: { defaultAction: "SCMP_ACT_ERRNO", listenerMetadata: "default for 14" },
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
      sysctl: { "net.ipv4.ip_unprivileged_port_start": "0" },
    });
    expect(maskedPaths).toContain("/proc/interrupts");
    expect(maskedPaths).toContain("/sys/hot");
  });

  test("has a root and a host name", () => {
    expect(rest).toEqual({
      ociVersion: "1.2.1",
      root: { path: "/store/rootfs", readonly: false },
      hostname: "0123456789ab",
    });
  });

  test("is valid as a config.json", () => {
    const options: Partial<PlacedRunOptions> = {
      terminal: true,
      init: true,
      hostname: "h",
      domainname: "d",
      resourceLimits: [{ type: "RLIMIT_CORE", soft: 0, hard: UNLIMITED }],
    };
    const configuration = specification(options);
    const defined = JSON.parse(
      JSON.stringify(configuration, (_, value) => (typeof value === "bigint" ? "big" : value)),
    );
    const parsed = parseConfiguration(formatConfiguration(configuration), "config.json");
    expect(JSON.parse(JSON.stringify(parsed, (_, value) => (typeof value === "bigint" ? "big" : value)))).toEqual(
      defined,
    );
  });
});

describe("the process", () => {
  test.each([
    ["user", { user: "alice" }, { user: { uid: 1000, gid: 1000, additionalGids: [1000, 29] } }],
    ["user and group", { user: "alice:audio" }, { user: { uid: 1000, gid: 29, additionalGids: [29] } }],
    ["an id without entry", { user: "77:88" }, { user: { uid: 77, gid: 88, additionalGids: [88] } }],
    [
      "groups",
      { additionalGroups: ["audio", "99", "1"] },
      { user: { uid: 0, gid: 0, additionalGids: [0, 1, 29, 99] } },
    ],
    ["directory", { workingDirectory: "/a//b/../c" }, { cwd: "/a/c" }],
    ["terminal", { terminal: true }, { terminal: true, consoleSize: { height: 24, width: 80 } }],
    ["init", { init: true, command: ["ls", "-l"] }, { args: ["/dev/init", "--", "ls", "-l"] }],
    ["oom score", { oomScoreAdjustment: -5 }, { oomScoreAdj: -5 }],
    [
      "limits",
      { resourceLimits: [{ type: "RLIMIT_NPROC", soft: 10, hard: UNLIMITED }] },
      { rlimits: [{ type: "RLIMIT_NPROC", soft: 10, hard: UNLIMITED }] },
    ],
  ] satisfies [string, Partial<PlacedRunOptions>, object][])("%s", (_, options, expected) => {
    expect(specification(options).process).toMatchObject(expected);
  });

  test("the image's wishes count where the user has none", () => {
    const image = {
      entrypoint: ["/entry"],
      command: ["x"],
      user: "alice",
      workingDirectory: "/work",
      stopSignal: "SIGQUIT",
    };
    const configuration = specification({}, { image });
    expect(configuration.process).toMatchObject({ args: ["/entry", "x"], cwd: "/work", user: { uid: 1000 } });
    expect(configuration.process?.env).toContain("HOME=/home/alice");
    expect(configuration.annotations).toEqual({ "org.opencontainers.image.stopSignal": "SIGQUIT" });
    const overridden = specification({ user: "root", workingDirectory: "/", entrypoint: ["/mine"] }, { image });
    expect(overridden.process).toMatchObject({ args: ["/mine"], cwd: "/", user: { uid: 0 } });
  });

  test("the default user counts where nobody names one", () => {
    const user = (options: Partial<PlacedRunOptions>, user = "") =>
      specification(options, { image: { command: ["/bin/sh"], user }, defaultUser: "1000:1000" }).process?.user.uid;
    expect([user({}), user({}, ""), user({}, "5"), user({ user: "0" }, "5")]).toEqual([1000, 1000, 5, 0]);
  });

  test("a relative working directory is refused", () => {
    expect(() => specification({ workingDirectory: "tmp" })).toThrow(
      'use working directory "tmp": it needs to be an absolute path',
    );
  });

  test("security options", () => {
    const { security } = runOptions();
    const options = { security: { ...security, noNewPrivileges: true, apparmorProfile: "p", labels: ["type:t"] } };
    const { process, linux } = specification(options);
    expect(process).toMatchObject({
      noNewPrivileges: true,
      apparmorProfile: "p",
      selinuxLabel: "system_u:system_r:t:s0",
    });
    expect(linux?.mountLabel).toBe("system_u:object_r:container_file_t:s0");
  });
});

describe("ids that are not mapped", () => {
  test("root alone needs one id, and no groups", () => {
    expect(specification({}, { userNamespace: singleMap }).process?.user).toEqual({ uid: 0, gid: 0 });
  });

  test.each([
    [
      { user: "alice" },
      singleMap,
      "use user id 1000: the container's user namespace has 1 id, and this is none of them",
    ],
    [{ user: "0:29" }, singleMap, "use group id 29: the container's user namespace has 1 id, and this is none of them"],
    [{ additionalGroups: ["audio"] }, singleMap, "use group id 29: the container's user namespace has 1 id"],
    [{ user: "65537" }, fullMap, "use user id 65537: the container's user namespace has 65537 ids"],
    [{ user: "1:70000" }, fullMap, "use group id 70000: the container's user namespace has 65537 ids"],
  ] satisfies [Partial<PlacedRunOptions>, typeof fullMap, string][])("%j", (options, userNamespace, message) => {
    expect(() => specification(options, { userNamespace })).toThrow(message);
  });

  test("without a user namespace every id is there", () => {
    const { process, linux } = specification({ user: "70000" }, { userNamespace: undefined });
    expect(process?.user).toEqual({ uid: 70000, gid: 0, additionalGids: [0] });
    expect(linux?.uidMappings).toBeUndefined();
  });
});

describe("namespaces and names", () => {
  test.each([
    [{ network: "host" }, "network"],
    [{ utsNamespace: "host" }, "uts"],
    [{ pidNamespace: "host" }, "pid"],
    [{ ipcNamespace: "host" }, "ipc"],
    [{ cgroupNamespace: "host" }, "cgroup"],
  ] satisfies [Partial<PlacedRunOptions>, string][])("%j has no %s namespace", (options, type) => {
    expect(namespaces(options)).toEqual(namespaces()?.filter((other) => other !== type) as never);
  });

  test("real root may have no user namespace", () => {
    expect(namespaces({}, { userNamespace: undefined })).not.toContain("user");
  });

  test("the host's network brings its host name, and no kernel parameters", () => {
    const { hostname, linux, process } = specification({ network: "host" });
    expect([hostname, linux?.sysctl]).toEqual(["laptop", {}]);
    expect(process?.env).toContain("HOSTNAME=laptop");
    expect(specification({ network: "host", hostname: "mine" }).hostname).toBe("mine");
  });

  test("another container's name is not set, and one that is not known is not told", () => {
    const utsNamespace = { kind: "path", path: "/run/names" } as const;
    const { hostname, process, linux } = specification(
      { utsNamespace },
      { host: { ...input().host, hostname: undefined } },
    );
    expect(hostname).toBeUndefined();
    expect(process?.env?.filter((entry) => entry.startsWith("HOSTNAME"))).toEqual([]);
    expect(linux?.namespaces).toContainEqual({ type: "uts" });
    expect(() => specification({ utsNamespace, hostname: "x" })).toThrow("hostname and the UTS mode");
  });

  test("the host's names cannot be changed", () => {
    const configuration = specification({ utsNamespace: "host" });
    expect(configuration.hostname).toBeUndefined();
    expect(configuration.process?.env).toContain("HOSTNAME=laptop");
    expect(() => specification({ utsNamespace: "host", hostname: "x" })).toThrow(
      "conflicting options: hostname and the UTS mode",
    );
    expect(() => specification({ utsNamespace: "host", domainname: "x" })).toThrow(
      "conflicting options: domainname and the UTS mode",
    );
  });

  test("a host name and a domain name of the user's", () => {
    const configuration = specification({ hostname: "web.example", domainname: "example" });
    expect(configuration).toMatchObject({ hostname: "web.example", domainname: "example" });
    expect(configuration.process?.env).toContain("HOSTNAME=web.example");
  });

  test("kernel parameters of the user's", () => {
    const sysctls = { "net.core.somaxconn": "9", "net.ipv4.ip_unprivileged_port_start": "80" };
    expect(specification({ sysctls }).linux?.sysctl).toEqual(sysctls);
    expect(() => specification({ network: "host", sysctls })).toThrow(
      "read configuration of container 0123456789ab: linux.sysctl.net.core.somaxconn: needs a network namespace",
    );
    expect(() => specification({ sysctls: { "vm.swappiness": "1" } })).toThrow("is not separate for each container");
  });

  test.each([
    ["rprivate", undefined],
    ["rslave", "rslave"],
    ["slave", "rslave"],
    ["shared", "shared"],
    ["rshared", "shared"],
  ] as const)("a mount with propagation %s makes the root's %p", (propagation, expected) => {
    const mount = {
      ...({ type: "bind", source: "/srv", destination: "/data", readOnly: false, createSource: false } as const),
      ...{
        recursive: true,
        recursiveReadOnly: false,
        relabel: undefined,
        givesToUser: false,
        isOverlay: false,
        options: [],
        propagation,
      },
    };
    expect(specification({ mounts: [mount] }).linux?.rootfsPropagation).toBe(expected);
  });
});

describe("seccomp and --privileged", () => {
  const { security } = runOptions();

  test("a named profile is resolved for the container's capabilities", () => {
    const options = {
      security: { ...security, seccomp: { kind: "profile", json: "{}" } },
      capabilitiesAdded: ["ALL"],
    } as const;
    expect(specification(options).linux?.seccomp?.listenerMetadata).toBe("{} for 41");
    expect(specification({ ...options, privileged: true }).linux?.seccomp?.listenerMetadata).toBe("{} for 41");
  });

  test("unconfined is no filter", () => {
    expect(
      specification({ security: { ...security, seccomp: { kind: "unconfined" } } }).linux?.seccomp,
    ).toBeUndefined();
  });

  test("a privileged container has all capabilities and neither filter nor protected paths", () => {
    const host = {
      hostname: "laptop",
      maskedPaths: [],
      devices: ["/dev/kmsg"],
      filtersDevices: true,
      deviceNodes: [],
      hasMessageQueues: true,
      capabilities: CAPABILITY_NAMES,
    };
    const { process, linux, mounts } = specification({ privileged: true }, { host });
    expect(process?.capabilities?.bounding).toEqual(CAPABILITY_NAMES);
    expect(linux).toMatchObject({ maskedPaths: [], readonlyPaths: [] });
    expect(linux?.seccomp).toBeUndefined();
    expect(mounts).toContainEqual(expect.objectContaining({ destination: "/dev/kmsg", source: "/dev/kmsg" }));
    expect(mounts?.find(({ destination }) => destination === "/sys")?.options).not.toContain("ro");
  });
});
