/*
 * Namespaces: which are made by the clone itself, which are joined, and in what order.
 *
 * Most containers make all of theirs, and then one clone3 with all flags is the whole story: the child is process 1 of
 * the new pid namespace at once. Two wishes need a process in between, which leaves as soon as it has cloned the
 * container's own (with CLONE_PARENT, so that this one is the runtime's child all the same):
 *
 *  - a namespace given by path. It has to be joined before the new user namespace is made, because afterwards the
 *    process has no rights over namespaces that others own; and who joins a pid namespace is not in it, only its
 *    children are.
 *  - a time namespace: its clocks can only be set while no process is in it, which is after unshare and before clone.
 *    It must belong to the new user namespace, which therefore is unshared, and mapped, in the process in between.
 */

import type { Slot } from "../../launch/operation.ts";
import type { Label } from "../../launch/operation-table.ts";
import type { LaunchProgram } from "../../launch/program.ts";
import { CloneFlag } from "../../sys/clone.ts";
import type { Namespace, TimeOffsets } from "../configuration/configuration.ts";
import { NamespaceFlag, type NamespaceType } from "../configuration/namespaces.ts";
import { writeFile } from "./files.ts";
import { becomeNotDumpable } from "./process-attributes.ts";

/** A namespace to enter that exists already. */
interface JoinedNamespace {
  readonly type: NamespaceType;
  readonly path: string;
  /** An open descriptor of the namespace, which the child inherits. */
  readonly descriptor: number;
}

/** What a container does about each kind of namespace; kinds that are not mentioned stay the runtime's own. */
export interface NamespacePlan {
  /** CLONE_NEW* flags of those to be made. */
  readonly created: number;
  readonly joined: readonly JoinedNamespace[];
  readonly timeOffsets: TimeOffsets | undefined;
}

/** User first, for the rights over the others; mount last, since it changes what paths mean. */
const JOIN_ORDER: readonly NamespaceType[] = ["user", "ipc", "uts", "network", "pid", "cgroup", "time", "mount"];

/**
 * Sorts the namespaces of a configuration.
 * @param open opens a namespace's path
 */
export function planNamespaces(
  namespaces: readonly Namespace[],
  timeOffsets: TimeOffsets | undefined,
  open: (path: string, type: NamespaceType) => number,
): NamespacePlan {
  const created = namespaces
    .filter(({ path = "" }) => path === "")
    .reduce((flags, { type }) => flags | NamespaceFlag[type], 0);
  const joined = namespaces
    .flatMap(({ type, path = "" }) => (path === "" ? [] : [{ type, path }]))
    .toSorted((one, other) => JOIN_ORDER.indexOf(one.type) - JOIN_ORDER.indexOf(other.type))
    .map(({ type, path }) => ({ type, path, descriptor: open(path, type) }));
  return { created, joined, timeOffsets };
}

/** Whether a process in between is needed; see the head of this file. */
export function needsIntermediate(plan: NamespacePlan): boolean {
  return plan.joined.length > 0 || (plan.created & NamespaceFlag.time) !== 0;
}

/**
 * Whether the process keeps itself from being looked into, by those who are in its namespaces already. Nor can who has
 * launched it look into /proc/PID/ns then.
 */
export function isHidden(plan: NamespacePlan): boolean {
  return plan.joined.some(({ type }) => type === "pid" || type === "user");
}

/** The flags of the first clone. */
export function firstCloneFlags(plan: NamespacePlan): number {
  return needsIntermediate(plan) ? 0 : plan.created;
}

/** Whether the process in between makes the user namespace, instead of the container's own clone. */
export function intermediateMakesUserNamespace(plan: NamespacePlan): boolean {
  return (plan.created & NamespaceFlag.time) !== 0 && (plan.created & NamespaceFlag.user) !== 0;
}

/** The text of /proc/PID/timens_offsets; time_namespaces(7). */
function timeOffsetsText(offsets: TimeOffsets): string {
  return Object.entries(offsets)
    .map(([clock, offset]) => `${clock} ${offset?.secs ?? 0} ${offset?.nanosecs ?? 0}\n`)
    .join("");
}

/**
 * The process in between, up to its end; the operations that follow are the container's own process.
 * @param proc the host's /proc
 * @param container receives the pid of the container's process
 * @param fetchMounts emits what needs rights over other mount namespaces
 * @param waitForIdMaps emits the wait for the user namespace's maps
 */
export function goThroughIntermediate(
  program: LaunchProgram,
  plan: NamespacePlan,
  proc: Slot,
  container: Slot,
  waitForIdMaps: () => void,
  fetchMounts: () => void,
): void {
  if (isHidden(plan)) becomeNotDumpable(program);
  const join = ({ type, path, descriptor }: JoinedNamespace) => {
    program.call("setns", [descriptor, NamespaceFlag[type]], {
      operation: `join the ${type} namespace`,
      object: path,
      hint: `it must be a namespace of the ${type} kind, and joining needs rights over the user namespace that owns it; join that one as well`,
    });
  };
  plan.joined.filter(({ type }) => type === "user").forEach(join);
  // Before it is in a pid namespace in which others could see who does it.
  fetchMounts();
  plan.joined.filter(({ type }) => type !== "user").forEach(join);
  let remaining = plan.created;
  if (intermediateMakesUserNamespace(plan)) {
    program.call("unshare", [CloneFlag.NEWUSER], { operation: "make a user namespace" });
    waitForIdMaps();
    remaining &= ~CloneFlag.NEWUSER;
  }
  if ((plan.created & NamespaceFlag.time) !== 0) {
    program.call("unshare", [CloneFlag.NEWTIME], { operation: "make a time namespace" });
    if (plan.timeOffsets !== undefined) {
      const text = timeOffsetsText(plan.timeOffsets);
      const what = { operation: "set the time namespace's clocks", object: text.trim().replaceAll("\n", ", ") };
      writeFile(program, proc, "self/timens_offsets", text, what);
    }
    remaining &= ~CloneFlag.NEWTIME;
  }
  const child: Label = program.label("container");
  const flags = CloneFlag.PARENT | remaining;
  program.fork({ operation: "clone the container's process" }, { child, flags, result: container });
  program.call("exit_group", [0], { operation: "leave" });
  program.place(child);
}
