import { basename, dirname } from "node:path";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { groupOfFirst, openGroupToEnter } from "./entry.ts";
import { IN_SCOPE } from "./group-in-scope.ts";
import { isRootOfHost } from "./root-of-host.ts";
import { systemdAddress } from "./systemd/address.ts";

/**
 * Prepares this process to clone children into a container's cgroup.
 * @param group of `beginContainerGroup`
 * @param pid of the container's first process
 * @returns the cgroup's directory, for `LaunchOptions.cgroup`
 * @throws BunkerError when systemd does not move us
 */
export function joinContainerGroup(group: string, pid: number): FileDescriptor {
  const path = dirname(group);
  const systemd = basename(group) === IN_SCOPE ? systemdAddress(process.env, isRootOfHost()) : undefined;
  const scope = systemd === undefined ? undefined : { path, unit: basename(path), besides: "supervisor", systemd };
  return openGroupToEnter(groupOfFirst(group, pid), scope);
}
