import { BunkerError } from "../../sys/error.ts";
import type { Configuration, IdMapping, Linux, Mount, Process } from "./configuration.ts";
import type { NamespaceType } from "./namespaces.ts";

/**
 * Checks what a configuration's members demand of each other, as the specification and the established runtimes do:
 * nothing that would be silently without effect, or that would reach into the host, gets through.
 * @param configuration as parsed, or as built by the engine
 * @param path of its file, for messages
 * @throws BunkerError `invalid_configuration` with the dotted path of the offending member
 */
export function checkConfiguration(configuration: Configuration, path: string): void {
  const { process, linux } = configuration;
  const fault =
    (process === undefined ? undefined : processFault(process)) ??
    namespacesFault(configuration) ??
    (linux === undefined ? undefined : (idMappingsFault(linux) ?? devicesFault(linux) ?? sysctlFault(linux))) ??
    mountsFault(configuration.mounts ?? []);
  refuse(fault, path);
}

/** Checks a process that is given by itself; as `checkConfiguration`. */
export function checkProcess(process: Process, path: string): void {
  refuse(processFault(process), path);
}

function refuse(fault: string | undefined, path: string): void {
  if (fault === undefined) return;
  throw new BunkerError({
    code: "invalid_configuration",
    operation: "read configuration",
    object: path,
    reason: fault,
  });
}

function processFault(process: Process): string | undefined {
  if (!process.cwd.startsWith("/")) return `process.cwd: expected an absolute path, got ${JSON.stringify(process.cwd)}`;
  for (const [index, entry] of (process.env ?? []).entries()) {
    if (entry.indexOf("=") < 1) return `process.env.${index}: expected NAME=value, got ${JSON.stringify(entry)}`;
  }
  const types = new Set<string>();
  for (const [index, { type, soft, hard }] of (process.rlimits ?? []).entries()) {
    if (types.has(type)) return `process.rlimits.${index}.type: ${type} is set twice`;
    if (soft > hard) return `process.rlimits.${index}.soft: ${soft} is above the hard limit of ${hard}`;
    types.add(type);
  }
  return schedulerFault(process);
}

/** Which attributes sched_setattr(2) takes with which policy. */
function schedulerFault({ scheduler }: Process): string | undefined {
  if (scheduler === undefined) return undefined;
  const { policy, nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = scheduler;
  const realTime = policy === "SCHED_FIFO" || policy === "SCHED_RR";
  if (nice < -20 || nice > 19) return `process.scheduler.nice: expected an integer from -20 to 19, got ${nice}`;
  if (nice !== 0 && policy !== "SCHED_OTHER" && policy !== "SCHED_BATCH") {
    return `process.scheduler.nice: has no meaning with ${policy}`;
  }
  if (realTime && (priority < 1 || priority > 99)) {
    return `process.scheduler.priority: expected an integer from 1 to 99 with ${policy}, got ${priority}`;
  }
  if (!realTime && priority !== 0) return `process.scheduler.priority: has no meaning with ${policy}`;
  if (policy === "SCHED_DEADLINE") return undefined;
  const [unfit] = Object.entries({ runtime, deadline, period }).find(([, value]) => value !== 0) ?? [];
  return unfit === undefined ? undefined : `process.scheduler.${unfit}: has no meaning with ${policy}`;
}

function namespacesFault({ linux, hostname, domainname }: Configuration): string | undefined {
  const present = new Set<NamespaceType>();
  for (const [index, { type, path }] of (linux?.namespaces ?? []).entries()) {
    if (present.has(type)) return `linux.namespaces.${index}.type: ${type} is listed twice`;
    if (path !== undefined && path !== "" && !path.startsWith("/")) {
      return `linux.namespaces.${index}.path: expected an absolute path, got ${JSON.stringify(path)}`;
    }
    if (type === "time" && isJoined(path) && Object.keys(linux?.timeOffsets ?? {}).length > 0) {
      return "linux.timeOffsets: the clocks of a time namespace that is joined cannot be set";
    }
    present.add(type);
  }
  const needs: readonly (readonly [member: string, value: object | string | undefined, type: NamespaceType])[] = [
    ["hostname", hostname, "uts"],
    ["domainname", domainname, "uts"],
    ["linux.uidMappings", linux?.uidMappings, "user"],
    ["linux.gidMappings", linux?.gidMappings, "user"],
    ["linux.timeOffsets", linux?.timeOffsets, "time"],
    ["linux.netDevices", linux?.netDevices, "network"],
    ["linux.maskedPaths", linux?.maskedPaths, "mount"],
    ["linux.readonlyPaths", linux?.readonlyPaths, "mount"],
  ];
  const unmet = needs.find(
    ([, value, type]) => value !== undefined && Object.keys(value).length > 0 && !present.has(type),
  );
  return unmet === undefined ? undefined : `${unmet[0]}: needs a ${unmet[2]} namespace in linux.namespaces`;
}

function idMappingsFault(linux: Linux): string | undefined {
  const userNamespace = linux.namespaces?.find(({ type }) => type === "user");
  if (userNamespace === undefined || isJoined(userNamespace.path)) return undefined;
  for (const member of ["uidMappings", "gidMappings"] as const) {
    const mappings = linux[member] ?? [];
    if (mappings.length === 0) return `linux.${member}: a new user namespace needs at least one mapping`;
    const fault = mappingsFault(mappings, `linux.${member}`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** 2^32 - 1 is no id. */
const ID_COUNT = 2 ** 32 - 1;
/** How many ranges the kernel takes; user_namespaces(7). */
const MOST_MAPPINGS = 340;

function overlap(one: IdMapping, other: IdMapping, member: "containerID" | "hostID"): boolean {
  return one[member] < other[member] + other.size && other[member] < one[member] + one.size;
}

/** What the kernel would only call invalid. */
function mappingsFault(mappings: readonly IdMapping[], at: string): string | undefined {
  if (mappings.length > MOST_MAPPINGS) {
    return `${at}: expected at most ${MOST_MAPPINGS} mappings, as the kernel takes no more, got ${mappings.length}`;
  }
  for (const [index, mapping] of mappings.entries()) {
    const { containerID, hostID, size } = mapping;
    if (size === 0) return `${at}.${index}.size: expected at least 1, got 0`;
    if (containerID + size > ID_COUNT || hostID + size > ID_COUNT)
      return `${at}.${index}: ends beyond the last id, 4294967294`;
    for (const member of ["containerID", "hostID"] as const) {
      const earlier = mappings.findIndex((other) => other === mapping || overlap(other, mapping, member));
      if (earlier < index) return `${at}.${index}.${member}: overlaps the ids of ${at}.${earlier}`;
    }
  }
  return undefined;
}

function isJoined(path: string | undefined): boolean {
  return path !== undefined && path !== "";
}

/** One of both numbers may be left out for 0, as programs in Go do. */
function devicesFault({ devices = [] }: Linux): string | undefined {
  const index = devices.findIndex(
    ({ type, major, minor }) => type !== "p" && major === undefined && minor === undefined,
  );
  return index < 0 ? undefined : `linux.devices.${index}: expected major and minor numbers, as its type is not p`;
}

const systemVIpcParameters = ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"];

/** A kernel parameter that belongs to no namespace of the container's own would change the host. */
function sysctlFault(linux: Linux): string | undefined {
  const present = new Set(linux.namespaces?.map(({ type }) => type));
  for (const name of Object.keys(linux.sysctl ?? {})) {
    const at = `linux.sysctl.${name}`;
    if (parameterPath(name) === "kernel/hostname") return `${at}: is set by the member hostname`;
    const type = parameterNamespace(parameterPath(name));
    if (type === undefined) return `${at}: is not separate for each container, so it cannot be set in one`;
    if (!present.has(type)) return `${at}: needs a ${type} namespace in linux.namespaces`;
  }
  return undefined;
}

function parameterNamespace(path: string): NamespaceType | undefined {
  if (path.split("/").includes("..")) return undefined;
  if (path.startsWith("net/")) return "network";
  if (path.startsWith("fs/mqueue/")) return "ipc";
  if (path === "kernel/domainname") return "uts";
  return systemVIpcParameters.some((name) => path === `kernel/${name}`) ? "ipc" : undefined;
}

/**
 * Where a kernel parameter lives below /proc/sys. As in sysctl.d(5), the first separator tells the form: in
 * `net.ipv4.conf.eth0/1.mtu` a slash stands for a dot of the name, in `net/ipv4/conf/eth0.1/mtu` nothing changes.
 * @returns for instance `net/core/somaxconn`
 */
export function parameterPath(name: string): string {
  const dot = name.indexOf(".");
  const slash = name.indexOf("/");
  if (dot < 0 || (slash >= 0 && slash < dot)) return name;
  return name
    .split(".")
    .map((part) => part.split("/").join("."))
    .join("/");
}

function mountsFault(mounts: readonly Mount[]): string | undefined {
  for (const [index, { uidMappings, gidMappings }] of mounts.entries()) {
    if ((uidMappings === undefined) !== (gidMappings === undefined)) {
      const [given, absent] =
        uidMappings === undefined ? ["gidMappings", "uidMappings"] : ["uidMappings", "gidMappings"];
      return `mounts.${index}.${absent}: must be given along with ${given}`;
    }
    const fault =
      mappingsFault(uidMappings ?? [], `mounts.${index}.uidMappings`) ??
      mappingsFault(gidMappings ?? [], `mounts.${index}.gidMappings`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
