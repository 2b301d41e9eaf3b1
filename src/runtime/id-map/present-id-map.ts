import { nodeFileSystem } from "../../sys/node-modules.ts";
import type { IdMapping } from "../configuration/configuration.ts";
import { mappedCount } from "./id-mapping.ts";
import type { UserIdMap } from "./user-id-map.ts";

/** The ids that are mapped in the present user namespace, each as itself; proc_pid_uid_map(5). */
function presentIds(file: "uid_map" | "gid_map"): readonly IdMapping[] {
  return nodeFileSystem()
    .readFileSync(`/proc/self/${file}`, "utf8")
    .trim()
    .split("\n")
    .map((line) => {
      const [first = 0, , size = 0] = line.trim().split(/\s+/).map(Number);
      return { containerID: first, hostID: first, size };
    });
}

/** The ids that root of the present user namespace has, the initial one or another: all that are mapped there. */
export function presentIdMap(): UserIdMap {
  const map = { uidMappings: presentIds("uid_map"), gidMappings: presentIds("gid_map"), warnings: [] };
  if (mappedCount(map.uidMappings) > 1) return { kind: "full", ...map };
  return { kind: "single", ...map, reason: "the present user namespace has a single id" };
}
