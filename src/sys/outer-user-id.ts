import { readText } from "./named-file.ts";

/** Our user id as the next user namespace outside has it: ours, if that is the initial one; user_namespaces(7). */
export function outerUserId(): number {
  const own = process.geteuid?.() ?? 0;
  for (const line of readText("/proc/self/uid_map").split("\n")) {
    const [inner = NaN, outer = NaN, count = NaN] = line.trim().split(/\s+/).map(Number);
    if (own >= inner && own < inner + count) return outer + own - inner;
  }
  return own;
}
