/*
 * What a process is before it executes its program: limits, priorities, identity, capabilities, filters. The order is
 * dictated by who may do what: everything that needs privileges first, then the bounding set, the ids, the remaining
 * sets, and last what takes rights away from the process itself.
 */
import type { LaunchProgram } from "../../launch/program.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import { setInteger64 } from "../../sys/integer64.ts";
import { Prctl } from "../../sys/prctl.ts";
import { Signal } from "../../sys/signal.ts";
import { CAPABILITY_NAMES, Capability, isCapability } from "../configuration/capabilities.ts";
import type {
  Capabilities,
  IoPriority,
  MemoryPolicy,
  Personality,
  ResourceLimit,
  Scheduler,
  User,
} from "../configuration/configuration.ts";
import { PersonalityDomain } from "../configuration/personality.ts";
import { ResourceLimitType } from "../configuration/resource-limit-types.ts";
import {
  IoPriorityClass,
  MemoryPolicyFlag,
  MemoryPolicyMode,
  SchedulerFlag,
  SchedulerPolicy,
} from "../configuration/scheduling.ts";

const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;

const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
const KEYCTL_JOIN_SESSION_KEYRING = 1;

/** Processors and memory nodes that a mask has room for. */
const MASK_BITS = 1024;

/** Takes the resource limits on; setrlimit(2). */
export function setResourceLimits(program: LaunchProgram, limits: readonly ResourceLimit[]): void {
  for (const { type, soft, hard } of limits) {
    const bytes = Buffer.from(new ArrayBuffer(16));
    bytes.writeBigUInt64LE(BigInt(soft), 0);
    bytes.writeBigUInt64LE(BigInt(hard), 8);
    program.call("prlimit64", [0, ResourceLimitType[type], program.bytes(bytes), 0], {
      operation: "set resource limit",
      object: `${type}=${soft}:${hard}`,
      hint: "only the administrator can raise a hard limit; ask for at most the present one (ulimit -H)",
    });
  }
}

/** Scheduling policy and parameters; sched_setattr(2). */
export function setScheduler(program: LaunchProgram, scheduler: Scheduler): void {
  const SIZE = 48;
  const bytes = Buffer.from(new ArrayBuffer(SIZE));
  const flags = (scheduler.flags ?? []).reduce((all, name) => all | SchedulerFlag[name], 0);
  bytes.writeUInt32LE(SIZE, 0);
  bytes.writeUInt32LE(SchedulerPolicy[scheduler.policy], 4);
  bytes.writeBigUInt64LE(BigInt(flags), 8);
  bytes.writeInt32LE(scheduler.nice ?? 0, 16);
  bytes.writeUInt32LE(scheduler.priority ?? 0, 20);
  bytes.writeBigUInt64LE(BigInt(scheduler.runtime ?? 0), 24);
  bytes.writeBigUInt64LE(BigInt(scheduler.deadline ?? 0), 32);
  bytes.writeBigUInt64LE(BigInt(scheduler.period ?? 0), 40);
  program.call("sched_setattr", [0, program.bytes(bytes), 0], {
    operation: "set the scheduling policy",
    object: scheduler.policy,
  });
}

/** I/O scheduling class and level; ioprio_set(2). */
export function setIoPriority(program: LaunchProgram, priority: IoPriority): void {
  const IOPRIO_WHO_PROCESS = 1;
  const value = (IoPriorityClass[priority.class] << 13) | priority.priority;
  program.call("ioprio_set", [IOPRIO_WHO_PROCESS, 0, value], {
    operation: "set the I/O priority",
    object: priority.class,
  });
}

/** NUMA memory policy; set_mempolicy(2). */
export function setMemoryPolicy(program: LaunchProgram, policy: MemoryPolicy): void {
  const nodes = parseNumberList(policy.nodes ?? "");
  const flags = (policy.flags ?? []).reduce((all, name) => all | MemoryPolicyFlag[name], 0);
  const [mask, size] = nodes.length === 0 ? [0, 0] : [program.bytes(numberMask(nodes)), MASK_BITS];
  program.call("set_mempolicy", [MemoryPolicyMode[policy.mode] | flags, mask, size], {
    operation: "set the memory policy",
    object: policy.mode,
  });
}

/**
 * The numbers of a list such as `0-3,7`.
 * @throws BunkerError `bad_number_list`, also for numbers above 1023, which are more than the kernel's masks hold
 */
export function parseNumberList(text: string): number[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .flatMap((part) => {
      const match = /^(\d+)(?:\s*-\s*(\d+))?$/.exec(part);
      const first = Number(match?.[1]);
      const last = Number(match?.[2] ?? first);
      if (!(first <= last) || last >= MASK_BITS) {
        throw new BunkerError({
          code: "bad_number_list",
          operation: "read the list",
          object: text,
          reason: `it must have numbers and ranges from 0 to ${MASK_BITS - 1}, such as 0-3,7`,
        });
      }
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}

/** The kernel's bit mask with these numbers. */
function numberMask(numbers: readonly number[]): Buffer {
  const mask = Buffer.from(new ArrayBuffer(MASK_BITS / 8));
  for (const number of numbers) mask[number >> 3] = (mask[number >> 3] ?? 0) | (1 << (number & 7));
  return mask;
}

/** The processors that the process may run on; sched_setaffinity(2). */
export function setProcessorAffinity(program: LaunchProgram, list: string): void {
  const mask = numberMask(parseNumberList(list));
  program.call("sched_setaffinity", [0, mask.length, program.bytes(mask)], {
    operation: "set the processor affinity",
    object: list,
  });
}

/** Execution domain; personality(2). */
export function setPersonality(program: LaunchProgram, personality: Personality): void {
  program.call("personality", [PersonalityDomain[personality.domain]], {
    operation: "set the personality",
    object: personality.domain,
  });
}

/** Leaves the caller's session keyring for a new one; keyctl(2). Kernels without keyrings have none to leave. */
export function joinNewKeyring(program: LaunchProgram): void {
  program.call(
    "keyctl",
    [KEYCTL_JOIN_SESSION_KEYRING, 0],
    {
      operation: "join a new session keyring",
      hint: "your quota of keys may be used up (/proc/key-users); --no-new-keyring goes without",
    },
    { ignore: [Errno.ENOSYS] },
  );
}

/** Puts a set of capabilities into the low and the high word that capset(2) has for it. */
function putCapabilities(names: readonly string[] | undefined, view: DataView, low: number, high: number): void {
  let lowBits = 0;
  let highBits = 0;
  for (const name of names ?? []) {
    if (!isCapability(name)) continue;
    const number = Capability[name];
    // The shift takes the number modulo 32.
    if (number < 32) lowBits |= 1 << number;
    else highBits |= 1 << number;
  }
  view.setInt32(low, lowBits, true);
  view.setInt32(high, highBits, true);
}

/** Drops every capability that the bounding set does not name; capabilities(7). */
export function dropBoundingSet(program: LaunchProgram, capabilities: Capabilities | undefined): void {
  const kept = new Set(capabilities?.bounding);
  const dropped: (readonly [number])[] = [];
  for (const name of CAPABILITY_NAMES) if (!kept.has(name)) dropped.push([Capability[name]]);
  program.forEach(["capability"], dropped, (capability) => {
    // EINVAL: a capability that this kernel does not know and therefore nobody has.
    const what = { operation: "drop from the bounding set capability", objectSlot: capability.index };
    program.call("prctl", [Prctl.PR_CAPBSET_DROP, capability, 0, 0, 0], what, { ignore: [Errno.EINVAL] });
  });
}

/** The capability sets of a process with none. */
export const NO_CAPABILITIES: Capabilities = {};

/**
 * Becomes the user with its groups, keeping the permitted capabilities until `setCapabilities`; setresuid(2).
 * @param groups whether setgroups(2) is permitted: not in a user namespace that an ordinary user mapped without helper
 */
export function becomeUser(program: LaunchProgram, user: User, groups: "set" | "keep"): void {
  program.call("prctl", [Prctl.PR_SET_KEEPCAPS, 1, 0, 0, 0], { operation: "keep capabilities across setuid" });
  if (groups === "set") {
    const ids = user.additionalGids ?? [];
    const list = program.reserve(4 * Math.max(ids.length, 1));
    for (const [index, id] of ids.entries()) list.view.setUint32(4 * index, id, true);
    program.call("setgroups", [ids.length, list.address], {
      operation: "set supplementary groups",
      object: ids.join(",") || "to none",
    });
  }
  const unmapped = "the id must be inside the container's id map";
  program.call("setresgid", [user.gid, user.gid, user.gid], {
    operation: "become group",
    object: String(user.gid),
    hint: unmapped,
  });
  program.call("setresuid", [user.uid, user.uid, user.uid], {
    operation: "become user",
    object: String(user.uid),
    hint: unmapped,
  });
  if (user.umask !== undefined) program.call("umask", [user.umask], { operation: "set the umask" });
}

/** The names in the sets that stand for no capability that is known here. */
export function unknownCapabilities(capabilities: Capabilities): readonly string[] {
  const names = Object.values(capabilities).flatMap((set) => set ?? []);
  return [...new Set(names)].filter((name) => !isCapability(name));
}

/** What of the ambient set the kernel could not give: it must be permitted and inheritable as well; capabilities(7). */
export function impossibleAmbient({ ambient = [], inheritable = [], permitted = [] }: Capabilities): readonly string[] {
  return ambient.filter(isCapability).filter((name) => !inheritable.includes(name) || !permitted.includes(name));
}

/** Takes the effective, permitted, inheritable and ambient sets, but for what is not known and `impossibleAmbient`; capset(2), prctl(2). */
export function setCapabilities(program: LaunchProgram, capabilities: Capabilities): void {
  program.call("prctl", [Prctl.PR_SET_KEEPCAPS, 0, 0, 0, 0], { operation: "stop keeping capabilities" });
  const header = program.reserve(8);
  header.view.setUint32(0, LINUX_CAPABILITY_VERSION_3, true);
  const data = program.reserve(24);
  putCapabilities(capabilities.effective, data.view, 0, 12);
  putCapabilities(capabilities.permitted, data.view, 4, 16);
  putCapabilities(capabilities.inheritable, data.view, 8, 20);
  program.call("capset", [header.address, data.address], {
    operation: "set the capabilities",
    hint: "a capability that the user namespace or the caller does not have cannot be given",
  });
  program.call("prctl", [Prctl.PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0], {
    operation: "clear the ambient capabilities",
  });
  const { ambient = [] } = capabilities;
  const impossible = ambient.length === 0 ? [] : impossibleAmbient(capabilities);
  for (const name of ambient) {
    if (!isCapability(name) || impossible.includes(name)) continue;
    program.call("prctl", [Prctl.PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, Capability[name], 0, 0], {
      operation: "raise ambient capability",
      object: name,
    });
  }
}

/** Never gains privileges by exec again; prctl(2). */
export function setNoNewPrivileges(program: LaunchProgram): void {
  program.call("prctl", [Prctl.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0], { operation: "set no-new-privileges" });
}

/** Is killed when the thread that launched it ends. Must come after every change of ids, which resets it. */
export function dieWithParent(program: LaunchProgram): void {
  program.call("prctl", [Prctl.PR_SET_PDEATHSIG, Signal.SIGKILL, 0, 0, 0], {
    operation: "tie the life to the parent's",
  });
}

/**
 * Closes itself to ptrace and /proc/PID/mem while our memory is still in the process: to be called before it enters
 * namespaces in which others already run. exec makes it dumpable again.
 */
export function becomeNotDumpable(program: LaunchProgram): void {
  program.call("prctl", [Prctl.PR_SET_DUMPABLE, 0, 0, 0, 0], { operation: "forbid tracing" });
}

/** A compiled seccomp filter. */
export interface SeccompFilter {
  /** struct sock_filter instructions, 8 bytes each. */
  readonly instructions: Uint8Array;
  /** Flags of seccomp(2). */
  readonly flags: number;
}

/**
 * Installs a seccomp filter; seccomp(2).
 * @param options with `result`, the slot that receives the listener's descriptor if the flags ask for one
 */
export function installSeccompFilter(
  program: LaunchProgram,
  filter: SeccompFilter,
  options: Parameters<LaunchProgram["call"]>[3] = {},
): void {
  const SECCOMP_SET_MODE_FILTER = 1;
  const header = program.reserve(16);
  header.view.setUint16(0, filter.instructions.length / 8, true);
  setInteger64(header.view, 8, program.bytes(filter.instructions));
  program.call(
    "seccomp",
    [SECCOMP_SET_MODE_FILTER, filter.flags, header.address],
    { operation: "install the seccomp filter" },
    options,
  );
}
