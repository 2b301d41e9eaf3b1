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
import { mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { Errno } from "../sys/errno.ts";
import { BunkerError, errnoOf } from "../sys/error.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import { readIfThere } from "../sys/read-if-there.ts";
import { MOUNT } from "./mount-point.ts";
import { type Resources, resourceFiles } from "./resource-files.ts";
import { attachToScope, startTransientScope, systemdBusPath } from "./systemd/transient-scope.ts";

const NO_DELEGATION_HINT =
  "limits need a cgroup v2 subtree, which systemd delegates to users who are logged in; " + "or leave the limits out";

/** The processes of a container that get a group. */
export interface GroupMembers {
  readonly container: number;
  readonly supervisor: number;
}

/**
 * Makes the cgroup of a container, with its limits, and moves its processes there.
 * @param id the container's full id
 * @param members pids; the container has not executed anything yet
 * @returns the path of the container's own cgroup below /sys/fs/cgroup
 * @throws BunkerError `no_cgroup` where nothing is delegated, `limit_not_set` for what the kernel does not take,
 * `limit_not_supported`; the processes have to be ended then
 */
export function makeContainerGroup(id: string, members: GroupMembers, resources: Resources): string {
  const files = resourceFiles(resources);
  const bus = busOfDelegatedHost();
  // A restarted container's former scope may still be there.
  const name = `bunker-${id}-${members.supervisor}.scope`;
  startTransientScope(bus, name, {
    description: `Bunker container ${id.slice(0, 12)}`,
    pids: [members.supervisor, members.container],
  });
  const scope = groupOf(members.supervisor);
  if (scope === undefined || !scope.endsWith(`/${name}`)) {
    throw noGroup(`systemd has started ${name}, but the container is in ${scope ?? "no cgroup v2"}`);
  }
  for (const member of ["supervisor", "container"] as const) {
    mkdirSync(`${MOUNT}${scope}/${member}`);
    writeGroupFile(`${scope}/${member}`, "cgroup.procs", String(members[member]));
  }
  enableControllers(scope, new Set(files.map(({ name: file }) => controllerOf(file))));
  const group = `${scope}/container`;
  for (const { name: file, value } of files) writeGroupFile(group, file, value);
  return group;
}

/**
 * Changes the limits of a container that runs.
 * @param group from `makeContainerGroup`
 * @throws BunkerError `limit_not_set`, where the limits written before it hold; `limit_not_supported`
 */
export function changeLimits(group: string, resources: Resources): void {
  for (const { name, value } of resourceFiles(resources)) writeGroupFile(group, name, value);
}

/**
 * Prepares this process to clone children into a container's cgroup: only whoever is in the container's scope may do
 * that, so it moves there itself, to the supervisor, where no limit holds.
 * @param group from `makeContainerGroup`
 * @returns the cgroup's directory, for `LaunchOptions.cgroup`
 * @throws BunkerError when systemd does not move us
 */
export function joinContainerGroup(group: string): FileDescriptor {
  const scope = dirname(group);
  if (groupOf(process.pid) !== `${scope}/supervisor`) {
    attachToScope(busOfDelegatedHost(), basename(scope), "/supervisor", [process.pid]);
  }
  return new FileDescriptor(openSync(`${MOUNT}${group}`, "r"));
}

/** @throws BunkerError `no_cgroup` */
function busOfDelegatedHost(): string {
  if (readIfThere(`${MOUNT}/cgroup.controllers`) === undefined) {
    throw noGroup(`${MOUNT} is not cgroup v2: this host has v1 or a mixture`);
  }
  const bus = systemdBusPath(process.env);
  if (bus === undefined)
    throw noGroup("no systemd of this user can be asked for one: there is no bus at XDG_RUNTIME_DIR");
  return bus;
}

function noGroup(reason: string): BunkerError {
  return new BunkerError({
    code: "no_cgroup",
    operation: "limit the container's resources: no cgroup is delegated to this user",
    reason,
    hint: NO_DELEGATION_HINT,
  });
}

/** The cgroup v2 path of a process. */
function groupOf(pid: number): string | undefined {
  return /^0::(.*)$/m.exec(readIfThere(`/proc/${pid}/cgroup`) ?? "")?.[1];
}

function controllerOf(file: string): string {
  return file.slice(0, file.indexOf("."));
}

/** Lets the groups in a scope be limited by every controller that is there, or else by those that are needed. */
function enableControllers(scope: string, needed: ReadonlySet<string>): void {
  const available = readFileSync(`${MOUNT}${scope}/cgroup.controllers`, "utf8").trim().split(" ");
  const missing = [...needed].filter((controller) => !available.includes(controller));
  if (missing.length > 0) {
    throw new BunkerError({
      code: "controller_not_delegated",
      operation: "limit the container's resources",
      reason: `the controller ${missing.join(", ")} is not delegated to this user, only ${available.join(", ")}`,
      hint:
        "an administrator can delegate it: Delegate=cpu cpuset io memory pids in a file of " +
        "/etc/systemd/system/user@.service.d",
    });
  }
  writeGroupFile(scope, "cgroup.subtree_control", available.map((controller) => `+${controller}`).join(" "));
}

function writeGroupFile(group: string, file: string, value: string): void {
  try {
    writeFileSync(`${MOUNT}${group}/${file}`, value);
  } catch (error) {
    const errno = errnoOf(error);
    throw new BunkerError({
      code: "limit_not_set",
      operation: "set",
      object: `${file} to ${value}`,
      errno,
      ...(errno === Errno.ENOENT || errno === Errno.EACCES ? { reason: "this kernel has no such limit" } : {}),
    });
  }
}
