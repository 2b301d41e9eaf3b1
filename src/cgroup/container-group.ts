/*
 * Theory of operation: the cgroup of a container that an ordinary user runs.
 *
 *   .../user@1000.service/app.slice/bunker-ID.scope     made by the user's systemd, which delegates it to us
 *       supervisor/                                      who watches the container
 *       container/                                       the container's processes, and the limits
 *
 * A cgroup with processes cannot divide its resources among groups below it (the "no internal processes" rule), so the
 * scope itself ends up empty: systemd puts both processes into it, and each is moved on into a group of its own before
 * controllers are enabled. The supervisor's group keeps the scope alive until the supervisor has ended, so that what the
 * container's group counted can still be read when the container is gone. Then systemd removes all of it: nobody has to
 * clean up, also after a kill -9.
 *
 * The container's process waits while this is done, and executes nothing of the container's before its limits hold. A
 * further process (`exec`) is cloned into the container's group right away.
 */
import { basename, dirname } from "node:path";
import { BunkerError } from "../sys/error.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { openGroupToEnter } from "./entry.ts";
import { groupOf, isUnified, moveInto } from "./group.ts";
import { enableControllers, makeGroup } from "./group-tree.ts";
import { setLimits } from "./limits.ts";
import { type Resources, resourceFiles } from "./resource-files.ts";
import { isRootOfHost } from "./root-of-host.ts";
import type { BusAddress } from "./systemd/bus.ts";
import { requestScope, systemdAddress } from "./systemd/transient-scope.ts";

const NO_DELEGATION_HINT =
  "limits need a cgroup v2 subtree, which systemd delegates to users who are logged in; or leave the limits out";

/** The processes of a container that get a group. */
export interface GroupMembers {
  readonly container: number;
  readonly supervisor: number;
}

/**
 * Begins to make the cgroup of a container and to move its processes there.
 * @param id the container's full id
 * @param members pids; the container has not executed anything yet
 * @returns what ends it: sets the limits and returns the path of the container's own cgroup below /sys/fs/cgroup
 * @throws BunkerError `no_cgroup` where nothing is delegated; and so may what it returns, with `limit_not_set` for what
 * the kernel does not take and `controller_not_delegated`; the processes have to be ended then
 */
export function beginContainerGroup(id: string, members: GroupMembers, resources: Resources): () => string {
  // What cannot be kept is refused before systemd is troubled.
  resourceFiles(resources);
  // A restarted container's former scope may still be there.
  const name = `bunker-${id}-${members.supervisor}.scope`;
  const requested = requestScope(systemdOfDelegatedHost(), {
    name,
    description: `Bunker container ${id.slice(0, 12)}`,
    pids: [members.supervisor, members.container],
  });
  return () => {
    using systemdsScope = requested;
    systemdsScope.settle();
    const scope = groupOf(members.supervisor);
    if (scope === undefined || !scope.endsWith(`/${name}`)) {
      throw noGroup(`systemd has started ${name}, but the container is in ${scope ?? "no cgroup v2"}`);
    }
    for (const member of ["supervisor", "container"] as const) {
      makeGroup(`${scope}/${member}`);
      moveInto(`${scope}/${member}`, members[member]);
    }
    const group = `${scope}/container`;
    enableControllers(group, scope);
    setLimits(group, resources, false);
    return group;
  };
}

/**
 * Prepares this process to clone children into a container's cgroup.
 * @param group of `beginContainerGroup`
 * @returns the cgroup's directory, for `LaunchOptions.cgroup`
 * @throws BunkerError when systemd does not move us
 */
export function joinContainerGroup(group: string): FileDescriptor {
  const path = dirname(group);
  const systemd = systemdOfDelegatedHost();
  return openGroupToEnter(group, { path, unit: basename(path), besides: "supervisor", systemd });
}

/** @throws BunkerError `no_cgroup` */
function systemdOfDelegatedHost(): BusAddress {
  if (!isUnified()) throw noGroup("/sys/fs/cgroup is not cgroup v2: this host has v1 or a mixture");
  const address = systemdAddress(process.env, isRootOfHost());
  if (address === undefined) {
    throw noGroup("no systemd of this user can be asked for one: there is no socket of it in XDG_RUNTIME_DIR");
  }
  return address;
}

function noGroup(reason: string): BunkerError {
  return new BunkerError({
    code: "no_cgroup",
    operation: "limit the container's resources: no cgroup is delegated to this user",
    reason,
    hint: NO_DELEGATION_HINT,
  });
}
