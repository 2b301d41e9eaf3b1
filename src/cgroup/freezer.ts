import { writeFileSync } from "node:fs";
import { BunkerError, errnoOf } from "../sys/error.ts";
import { readGroupFile, requireGroup } from "./group.ts";
import { MOUNT } from "./mount-point.ts";

/** How long the kernel may take to stop everybody where they are, in milliseconds: a process in a disk's hands delays it. */
const PATIENCE = 10_000;

/** Whether the processes of a cgroup are frozen, or about to be. */
export function isFrozen(group: string): boolean {
  return readGroupFile(group, "cgroup.freeze")?.trim() === "1";
}

/**
 * Freezes the processes of a cgroup or lets them go on, and waits until that is so; cgroup.freeze in cgroup-v2.rst.
 * @param group its path in the hierarchy
 * @throws BunkerError `cgroup_gone`; `not_frozen`, and what could not be frozen goes on then
 */
export function setFrozen(group: string, frozen: boolean): void {
  const wanted = frozen ? "1" : "0";
  const operation = frozen ? "freeze" : "thaw";
  requireGroup(group, `${operation} the cgroup`);
  try {
    writeFileSync(`${MOUNT}${group}/cgroup.freeze`, wanted);
  } catch (error) {
    throw new BunkerError({ code: "not_frozen", operation, object: group, errno: errnoOf(error) });
  }
  for (let waited = 0; waited < PATIENCE; waited++) {
    const events = readGroupFile(group, "cgroup.events");
    if (events === undefined || new RegExp(`^frozen ${wanted}$`, "m").test(events)) return;
    Bun.sleepSync(1);
  }
  writeFileSync(`${MOUNT}${group}/cgroup.freeze`, "0");
  throw new BunkerError({
    code: "not_frozen",
    operation,
    object: group,
    reason: `a process in it has not stopped within ${PATIENCE / 1000} s`,
  });
}
