/*
 * How another process gets into the cgroup of a container that runs: it is cloned there (CLONE_INTO_CGROUP), so that it
 * is never anywhere else. The kernel permits that to who may move a process there: who may write to the file
 * cgroup.procs of the closest cgroup that contains both, ours and the container's. From a login session's cgroup that is
 * one of root's. systemd then moves us into the container's scope first, into a group beside the container's in which no
 * limit holds.
 */
import { accessSync, constants, openSync } from "node:fs";
import { BunkerError, errnoOf } from "../sys/error.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import { groupOf, requireGroup } from "./group.ts";
import { makeGroup } from "./group-tree.ts";
import { MOUNT } from "./mount-point.ts";
import type { BusAddress } from "./systemd/address.ts";
import { attachToScope } from "./systemd/transient-scope.ts";

/** The scope that a container's cgroup is in, and the name of the group in it for who stands by. */
export interface SurroundingScope {
  readonly path: string;
  readonly unit: string;
  readonly besides: string;
  readonly systemd: BusAddress;
}

/**
 * Where further processes of a container can be.
 * @param whole the container's cgroup
 * @param pid of the container's first process: if that has divided the cgroup, as systemd does, where it is itself is
 * where others can be, too
 */
export function groupOfFirst(whole: string, pid: number): string {
  const ofFirst = groupOf(pid);
  return ofFirst?.startsWith(`${whole}/`) === true ? ofFirst : whole;
}

/**
 * Prepares this process to clone children into the cgroup of a container, or one below it.
 * @param scope where the cgroup is in one that systemd can move us to
 * @returns the cgroup's directory, for `LaunchOptions.cgroup`
 * @throws BunkerError `cgroup_not_entered`, `cgroup_gone`, and when systemd does not move us
 */
export function openGroupToEnter(group: string, scope: SurroundingScope | undefined): FileDescriptor {
  requireGroup(group, "enter the container's cgroup");
  const own = groupOf("self") ?? "/";
  if (!mayMove(own, group)) {
    if (scope === undefined) {
      throw new BunkerError({
        code: "cgroup_not_entered",
        operation: "enter the container's cgroup",
        object: group,
        reason: `the way from ${own} leads through a cgroup of another user's`,
        hint: "call it from a cgroup of your own, such as that of systemd-run --user --scope",
      });
    }
    makeGroup(`${scope.path}/${scope.besides}`);
    attachToScope(scope.systemd, scope.unit, `/${scope.besides}`, [process.pid]);
  }
  try {
    return new FileDescriptor(openSync(`${MOUNT}${group}`, "r"));
  } catch (error) {
    throw new BunkerError({
      code: "cgroup_not_entered",
      operation: "enter the container's cgroup",
      object: group,
      errno: errnoOf(error),
    });
  }
}

function mayMove(from: string, to: string): boolean {
  const steps = to.split("/");
  const common = from.split("/").findIndex((step, index) => step !== steps[index]);
  const ancestor = common < 0 ? from : from.split("/").slice(0, common).join("/");
  try {
    accessSync(`${MOUNT}${ancestor}/cgroup.procs`, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
