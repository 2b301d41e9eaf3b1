/*
 * Theory of operation: the cgroup of a container of the engine.
 *
 *   .../user@1000.service/app.slice/bunker-ID-PID.scope  made by the user's systemd, which delegates it to us
 *       supervisor/                                       who watches the container
 *       container/                                        the container's processes, and the limits
 *
 * A cgroup with processes cannot divide its resources among groups below it (the "no internal processes" rule), so the
 * scope itself ends up empty: systemd puts both processes into it, and each is moved on into a group of its own before
 * controllers are enabled. The supervisor's group keeps the scope alive until the supervisor has ended, so that what the
 * container's group counted can still be read when the container is gone. Then systemd removes all of it: nobody has to
 * clean up, also after a kill -9.
 *
 * Without a systemd to ask (in a container, on a system that has none), below a parent that the user names, or to split
 * the cgroup that a service has been given, it is made by hand, and removed by who records the container's end:
 *
 *   .../PARENT/bunker-ID/                                 the container's processes, and the limits
 *   .../PARENT/supervisor/                                to split: all that was in PARENT before, the supervisor too
 *
 * The container's process waits while this is done, and executes nothing of the container's before its limits hold. A
 * further process (`exec`) is cloned into the container's group right away.
 *
 * A container gets its cgroup also without limits: to be frozen, killed as a whole, and measured. But then it does
 * without where there is none to be had, and nobody is kept waiting for a systemd that does not answer.
 */
import { BunkerError } from "../sys/error.ts";
import { groupOf, moveInto, readGroupFile } from "./group.ts";
import { nameByHand } from "./group-by-hand.ts";
import { IN_SCOPE } from "./group-in-scope.ts";
import { type GroupPlan, noGroup } from "./group-plan.ts";
import { enableControllers, makeGroup, removeGroup } from "./group-tree.ts";
import { setLimits } from "./limits.ts";
import { isLimited, type Resources } from "./resource-files.ts";
import { requestScope } from "./systemd/transient-scope.ts";

/** How long systemd is waited for when nothing depends on its answer, in seconds. */
const SHORT_PATIENCE = 2;

/** The processes of a container that get a group. */
export interface GroupMembers {
  readonly container: number;
  readonly supervisor: number;
}

/** A cgroup that is being made. */
export interface GroupRequest {
  /** The container's full id. */
  readonly id: string;
  readonly plan: GroupPlan;
  readonly resources: Resources;
  /** Whether the user has named a place for it, and so wants one. */
  readonly isWished: boolean;
}

/**
 * Begins to make the cgroup of a container and to move its processes there.
 * @param members pids; the container has not executed anything yet
 * @returns what ends it: sets the limits and returns the path of the container's own cgroup below /sys/fs/cgroup;
 * undefined without one, where nobody needs it
 * @throws BunkerError when there are limits or a wish, and so may what it returns: what systemd or the kernel refuses,
 * `limit_not_set` for what the kernel does not take and `controller_not_delegated`; the processes have to be ended then
 */
export function beginContainerGroup(request: GroupRequest, members: GroupMembers): () => string | undefined {
  // What cannot be kept is refused before anybody is troubled.
  const isNeeded = isLimited(request.resources) || request.isWished;
  const attempt = <Result>(work: () => Result): Result | undefined => {
    try {
      return work();
    } catch (error) {
      if (isNeeded || !(error instanceof BunkerError)) throw error;
      return undefined;
    }
  };
  const settle = attempt(() => begin(request, members, isNeeded));
  return () => (settle === undefined ? undefined : attempt(settle));
}

/**
 * The cgroup that will be made by hand, and has to be removed so.
 * @returns its path below /sys/fs/cgroup; undefined for a scope, and without a cgroup
 */
export function groupByHand({ id, plan }: Pick<GroupRequest, "id" | "plan">): string | undefined {
  return plan.kind === "path" ? `${plan.parent === "/" ? "" : plan.parent}/${nameByHand(id)}` : undefined;
}

function begin(request: GroupRequest, members: GroupMembers, isNeeded: boolean): () => string {
  const { plan } = request;
  if (plan.kind === "missing") throw noGroup(plan.reason);
  if (plan.kind === "scope") return beginScope(request, plan, members, isNeeded);
  const { parent, splits } = plan;
  if (splits) standAside(parent);
  const group = groupByHand(request) ?? parent;
  makeGroup(group);
  const orRemove = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      removeGroup(group);
      throw error;
    }
  };
  orRemove(() => moveInto(group, members.container));
  return () => {
    orRemove(() => {
      // What was made on the way hands on nothing yet, and what was there perhaps not all.
      enableControllers(group, splits ? parent : "/");
      setLimits(group, request.resources);
    });
    return group;
  };
}

function beginScope(
  { id, resources }: GroupRequest,
  { systemd, slice, alone }: Extract<GroupPlan, { kind: "scope" }>,
  members: GroupMembers,
  isNeeded: boolean,
): () => string {
  // A restarted container's former scope may still be there.
  const name = `bunker-${id}-${members.supervisor}.scope`;
  const moved = alone ? (["container"] as const) : (["supervisor", "container"] as const);
  const requested = requestScope(systemd, {
    name,
    description: `Bunker container ${id.slice(0, 12)}`,
    pids: moved.map((member) => members[member]),
    slice,
    patience: isNeeded ? undefined : SHORT_PATIENCE,
  });
  return () => {
    using systemdsScope = requested;
    systemdsScope.settle();
    const scope = groupOf(members.container);
    if (scope === undefined || !scope.endsWith(`/${name}`)) {
      throw noGroup(`systemd has started ${name}, but the container is in ${scope ?? "no cgroup v2"}`);
    }
    for (const member of moved) {
      makeGroup(`${scope}/${member}`);
      moveInto(`${scope}/${member}`, members[member]);
    }
    const group = `${scope}/${IN_SCOPE}`;
    enableControllers(group, scope);
    setLimits(group, resources);
    return group;
  };
}

/** Moves all processes of a cgroup into one below it, so that it can be divided. */
function standAside(group: string): void {
  const aside = `${group === "/" ? "" : group}/supervisor`;
  makeGroup(aside);
  // Whoever forks meanwhile leaves a child behind, which is met by the next round.
  for (;;) {
    const pids = (readGroupFile(group, "cgroup.procs") ?? "").split("\n").filter((line) => line !== "");
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        moveInto(aside, Number(pid));
      } catch (error) {
        const isGone = error instanceof BunkerError && groupOf(Number(pid)) !== group;
        if (!isGone) throw error;
      }
    }
  }
}
