/*
 * Making and removing cgroups ourselves, where no systemd does it.
 *
 * A controller limits a cgroup only if every cgroup above hands it on (cgroup.subtree_control), from the top down, and a
 * cgroup that has processes itself hands on none ("no internal processes"). So the way down is walked first, and each
 * cgroup hands on all that it can: whoever looks at the container later wants to see what it uses, too. What is missing
 * at the end only matters if a limit needs it.
 *
 * A cgroup is removed as an empty directory, from the innermost to the outermost. A killed process leaves its cgroup a
 * moment after it has been waited for, so the kernel may say EBUSY for a while.
 */

import { Errno } from "../sys/errno.ts";
import { BunkerError, errnoOf } from "../sys/error.ts";
import { nodeFileSystem, nodePath } from "../sys/node-modules.ts";
import { controllersOf, isThere, readGroupFile, subgroupsOf } from "./group.ts";
import { killGroup } from "./kill-group.ts";
import { MOUNT } from "./mount-point.ts";

/** How long a removal waits for the kernel to let go of what has been killed, in milliseconds. */
const PATIENCE = 10_000;

/**
 * Makes a cgroup, with those above it that are missing.
 * @param group its path in the hierarchy
 * @returns the outermost one that was made, `group` too if it was there already
 * @throws BunkerError `cgroup_not_made`, with the kernel's errno
 */
export function makeGroup(group: string): string {
  const missing: string[] = [];
  for (let path = group; path !== "/" && !isThere(path); path = nodePath().dirname(path)) {
    missing.push(path);
  }
  for (const path of missing.toReversed()) {
    try {
      nodeFileSystem().mkdirSync(`${MOUNT}${path}`);
    } catch (error) {
      if (errnoOf(error) === Errno.EEXIST) continue;
      for (const made of missing.filter((other) => path.startsWith(`${other}/`))) removeEmpty(made);
      throw new BunkerError({
        code: "cgroup_not_made",
        operation: "make the cgroup",
        object: group,
        errno: errnoOf(error),
      });
    }
  }
  return missing.at(-1) ?? group;
}

/**
 * Lets a cgroup be limited by everything that is to be had.
 * @param group that was made by `makeGroup`
 * @param from the outermost cgroup above it that is ours to change, `/` for all
 */
export function enableControllers(group: string, from: string): void {
  for (const path of ancestorsOf(group, from)) handOn(path, controllersOf(path));
}

/** The cgroups above one, from the outermost; that at the root of the hierarchy is called by the empty string. */
function ancestorsOf(group: string, from = "/"): readonly string[] {
  const above: string[] = [];
  for (let path = nodePath().dirname(group); ; path = nodePath().dirname(path)) {
    above.unshift(path === "/" ? "" : path);
    if (path === "/" || path === from) return above;
  }
}

/** Hands controllers on to the cgroups below, one by one: a refusal of one says nothing of the others. */
function handOn(group: string, controllers: readonly string[]): void {
  const already = new Set((readGroupFile(group, "cgroup.subtree_control") ?? "").trim().split(" "));
  for (const controller of controllers) {
    if (already.has(controller)) continue;
    try {
      nodeFileSystem().writeFileSync(`${MOUNT}${group}/cgroup.subtree_control`, `+${controller}`);
    } catch {
      // Whether it was needed is seen at the end of the way.
    }
  }
}

/**
 * Sees whether a cgroup can be limited by what limits need.
 * @param needed names of controllers
 * @throws BunkerError `controller_not_delegated`, with what stands in the way
 */
export function requireControllers(group: string, needed: ReadonlySet<string>): void {
  const there = controllersOf(group);
  const missing = [...needed].filter((controller) => !there.includes(controller));
  if (missing.length === 0) return;
  const stopped = ancestorsOf(group).find((path) => missing.some((controller) => !handsOn(path, controller)));
  const isBusy =
    stopped !== undefined &&
    stopped !== "" &&
    missing.every((controller) => controllersOf(stopped).includes(controller)) &&
    readGroupFile(stopped, "cgroup.procs") !== "";
  throw new BunkerError({
    code: "controller_not_delegated",
    operation: "limit the container's resources",
    reason: isBusy
      ? `${stopped} has processes of its own, so it cannot hand on ${missing.join(", ")}`
      : `the controller ${missing.join(", ")} is not delegated to this user, only ${there.join(", ") || "none"}`,
    hint: isBusy
      ? "move them to a cgroup below it, or choose another parent"
      : "an administrator can delegate it: Delegate=cpu cpuset io memory pids in a file of " +
        "/etc/systemd/system/user@.service.d",
  });
}

function handsOn(group: string, controller: string): boolean {
  return (readGroupFile(group, "cgroup.subtree_control") ?? "").trim().split(" ").includes(controller);
}

/**
 * Kills what is left in a cgroup and removes it, with those below it, and those above it that are empty then.
 * @param outermost the last of those above it to remove, as `makeGroup` returned it
 * @throws BunkerError `cgroup_not_removed`
 */
export function removeGroup(group: string, outermost = group): void {
  killGroup(group);
  removeTree(group, performance.now() + PATIENCE);
  for (let path = nodePath().dirname(group); `${path}/`.startsWith(`${outermost}/`); path = nodePath().dirname(path))
    removeEmpty(path);
}

function removeTree(group: string, deadline: number): void {
  for (const name of subgroupsOf(group)) removeTree(`${group}/${name}`, deadline);
  for (;;) {
    const errno = removeEmpty(group);
    if (errno === undefined) return;
    if (errno !== Errno.EBUSY || performance.now() > deadline) {
      throw new BunkerError({ code: "cgroup_not_removed", operation: "remove the cgroup", object: group, errno });
    }
    Bun.sleepSync(1);
  }
}

/** Returns what the kernel has against it; that it is gone already is fine. */
function removeEmpty(group: string): number | undefined {
  try {
    nodeFileSystem().rmdirSync(`${MOUNT}${group}`);
    return undefined;
  } catch (error) {
    return errnoOf(error) === Errno.ENOENT ? undefined : (errnoOf(error) ?? Errno.EBUSY);
  }
}
