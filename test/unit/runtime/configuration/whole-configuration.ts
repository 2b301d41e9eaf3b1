/** A configuration in which every member of the specification has a valid value. */
export function wholeConfiguration() {
  const mappings = [
    { containerID: 0, hostID: 1000, size: 1 },
    { containerID: 1, hostID: 100000, size: 65536 },
  ];
  const hook = { path: "/bin/hook", args: ["hook", "now"], env: ["A=b"], timeout: 10 };
  const throttle = [{ major: 8, minor: 0, rate: 600 }];
  return {
    ociVersion: "1.2.1",
    process: {
      terminal: true,
      consoleSize: { height: 25, width: 80 },
      user: { uid: 1, gid: 2, umask: 0o22, additionalGids: [5, 6] },
      args: ["sh", "-c", "true"],
      env: ["PATH=/bin", "EMPTY="],
      cwd: "/",
      capabilities: {
        bounding: ["CAP_KILL", "CAP_CHOWN"],
        effective: ["CAP_KILL"],
        inheritable: ["CAP_KILL"],
        permitted: ["CAP_KILL"],
        ambient: ["CAP_KILL"],
      },
      rlimits: [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 4096 }],
      noNewPrivileges: true,
      apparmorProfile: "profile",
      oomScoreAdj: 100,
      scheduler: {
        policy: "SCHED_DEADLINE",
        nice: 0,
        priority: 0,
        flags: ["SCHED_FLAG_RESET_ON_FORK"],
        runtime: 10000,
        deadline: 20000,
        period: 30000,
      },
      selinuxLabel: "system_u:system_r:container_t:s0",
      ioPriority: { class: "IOPRIO_CLASS_BE", priority: 4 },
      execCPUAffinity: { initial: "7", final: "0-3,7" },
    },
    root: { path: "rootfs", readonly: true },
    hostname: "host",
    domainname: "domain",
    mounts: [
      {
        destination: "/data",
        type: "bind",
        source: "/srv",
        options: ["rbind", "ro"],
        uidMappings: mappings,
        gidMappings: mappings,
      },
    ],
    hooks: {
      prestart: [hook],
      createRuntime: [hook],
      createContainer: [hook],
      startContainer: [hook],
      poststart: [hook],
      poststop: [hook],
    },
    annotations: { "com.example.key": "value" },
    linux: {
      namespaces: [
        { type: "mount" },
        { type: "pid", path: "/proc/1/ns/pid" },
        { type: "network" },
        { type: "uts" },
        { type: "ipc" },
        { type: "user" },
        { type: "cgroup" },
        { type: "time" },
      ],
      uidMappings: mappings,
      gidMappings: mappings,
      timeOffsets: { monotonic: { secs: 172800, nanosecs: 5 }, boottime: { secs: -5, nanosecs: 0 } },
      devices: [{ type: "c", path: "/dev/fuse", major: 10, minor: 229, fileMode: 438, uid: 0, gid: 0 }],
      netDevices: { eth0: { name: "container_eth0" } },
      cgroupsPath: "/group",
      resources: {
        devices: [{ allow: true, type: "c", major: 10, minor: -1, access: "rwm" }],
        memory: {
          limit: 1000,
          reservation: 500,
          swap: -1,
          kernel: -1,
          kernelTCP: -1,
          swappiness: 60,
          disableOOMKiller: false,
          useHierarchy: false,
          checkBeforeUpdate: true,
        },
        cpu: {
          shares: 1024,
          quota: 1000000,
          burst: 1000,
          period: 500000,
          realtimeRuntime: 950000,
          realtimePeriod: 1000000,
          cpus: "2-3",
          mems: "0-7",
          idle: 0,
        },
        pids: { limit: 32771 },
        blockIO: {
          weight: 10,
          leafWeight: 10,
          weightDevice: [{ major: 8, minor: 0, weight: 500, leafWeight: 300 }],
          throttleReadBpsDevice: throttle,
          throttleWriteBpsDevice: throttle,
          throttleReadIOPSDevice: throttle,
          throttleWriteIOPSDevice: throttle,
        },
        hugepageLimits: [{ pageSize: "2MB", limit: 9000000 }],
        network: { classID: 1048577, priorities: [{ name: "eth0", priority: 500 }] },
        rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10000 } },
        unified: { "io.max": "259:0 rbps=2097152 wiops=120" },
      },
      rootfsPropagation: "slave",
      seccomp: {
        defaultAction: "SCMP_ACT_ERRNO",
        defaultErrnoRet: 1,
        architectures: ["SCMP_ARCH_X86_64"],
        flags: ["SECCOMP_FILTER_FLAG_LOG"],
        listenerPath: "/run/listener",
        listenerMetadata: "metadata",
        syscalls: [
          {
            names: ["clone"],
            action: "SCMP_ACT_ALLOW",
            errnoRet: 1,
            args: [{ index: 0, value: 2114060288, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
          },
        ],
      },
      maskedPaths: ["/proc/kcore"],
      readonlyPaths: ["/proc/sys"],
      mountLabel: "system_u:object_r:container_file_t:s0",
      sysctl: { "net.core.somaxconn": "256" },
      intelRdt: {
        closID: "group",
        schemata: ["L3:0=f"],
        l3CacheSchema: "L3:0=f",
        memBwSchema: "MB:0=20",
        enableMonitoring: true,
        enableCMT: true,
        enableMBM: true,
      },
      memoryPolicy: { mode: "MPOL_BIND", nodes: "0-1", flags: ["MPOL_F_STATIC_NODES"] },
      personality: { domain: "LINUX32", flags: [] as string[] },
    },
  };
}

/** The places of all values that are no objects or lists, as keys and indexes. */
export function leafPaths(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, member]) => leafPaths(member, [...path, key]));
}

/** The places of all objects and lists below `value`. */
export function branchPaths(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [];
  const below = Object.entries(value).flatMap(([key, member]) => branchPaths(member, [...path, key]));
  return path.length === 0 ? below : [path, ...below];
}

/** A copy of `value` in which the member at `path` is `replacement`. */
export function withMember<T>(value: T, path: readonly string[], replacement: unknown): T {
  // Unlike structuredClone, this also parts objects that occur in several places.
  const copy = JSON.parse(JSON.stringify(value));
  let target: Record<string, unknown> = copy;
  for (const key of path.slice(0, -1)) target = target[key] as Record<string, unknown>;
  target[path.at(-1) ?? ""] = replacement;
  return copy;
}
