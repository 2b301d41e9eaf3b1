import { readIfThere } from "../sys/read-if-there.ts";
import { MOUNT } from "./mount-point.ts";

/**
 * How many processes of a cgroup the OOM killer has ended.
 * @param group its path in the hierarchy
 * @returns 0 too when the cgroup is gone
 */
export function outOfMemoryKills(group: string): number {
  const events = readIfThere(`${MOUNT}${group}/memory.events`) ?? "";
  return Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0);
}
