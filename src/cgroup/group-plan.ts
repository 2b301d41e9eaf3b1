/** Where the cgroup of a container of the engine can be made; container-group.ts makes it. */

import { BunkerError } from "../sys/error.ts";
import { nodeFileSystem, nodePath } from "../sys/node-modules.ts";
import { groupOf, isUnified } from "./group.ts";
import { MOUNT } from "./mount-point.ts";
import { isSlice } from "./place.ts";
import { isRootOfHost } from "./root-of-host.ts";
import { type BusAddress, systemdAddress } from "./systemd/address.ts";

/** What the user says about a container's cgroup. */
export interface GroupWish {
  /** `no-conmon` leaves the supervisor where it is, as Podman does with its conmon. */
  readonly mode: "enabled" | "disabled" | "no-conmon" | "split";
  /** A slice of systemd's, or the path of a cgroup. */
  readonly parent?: string | undefined;
  /** Whether the container does not work without a cgroup. */
  readonly isNeeded?: boolean | undefined;
}

/** Where a container's cgroup will be, or why there will be none. */
export type GroupPlan =
  | {
      readonly kind: "scope";
      readonly systemd: BusAddress;
      readonly slice: string | undefined;
      readonly alone: boolean;
    }
  | { readonly kind: "path"; readonly parent: string; readonly splits: boolean }
  | { readonly kind: "missing"; readonly reason: string };

/**
 * Finds out where a container's cgroup can be. Nothing is changed.
 * @param service a unit of systemd's whose cgroup is divided if we are in it, so that it remains together
 * @throws BunkerError `no_cgroup` when the wish cannot be fulfilled
 */
export function planContainerGroup({ mode, parent, isNeeded = false }: GroupWish, service?: string): GroupPlan {
  if (mode === "disabled") return { kind: "missing", reason: "--cgroups=disabled" };
  const isWished = isNeeded || mode === "split" || parent !== undefined;
  const missing = (reason: string): GroupPlan => {
    if (isWished) throw noGroup(reason);
    return { kind: "missing", reason };
  };
  if (!isUnified()) return missing(`${MOUNT} is not cgroup v2 alone: this host has v1 or a mixture`);
  const own = groupOf("self") ?? "/";
  const base = nodePath().basename(own) === "supervisor" ? nodePath().dirname(own) : own;
  const isInService = service !== undefined && nodePath().basename(base) === service;
  if (mode === "split" || (isInService && mode === "enabled" && parent === undefined)) {
    return mayDivide(base) ? { kind: "path", parent: base, splits: true } : missing(`${base} is not delegated to us`);
  }
  if (parent !== undefined && !isSlice(parent)) {
    return { kind: "path", parent: nodePath().posix.resolve("/", parent), splits: false };
  }
  const systemd = systemdAddress(process.env, isRootOfHost());
  if (systemd !== undefined) return { kind: "scope", systemd, slice: parent, alone: mode === "no-conmon" };
  const reason = "no systemd of this user can be asked for one: there is no socket of it in XDG_RUNTIME_DIR";
  if (parent !== undefined) return missing(reason);
  const beside = nodePath().dirname(own);
  return mayDivide(beside) ? { kind: "path", parent: beside, splits: false } : missing(reason);
}

/** Whether we may make cgroups below one, and move processes to them. */
function mayDivide(group: string): boolean {
  try {
    nodeFileSystem().accessSync(`${MOUNT}${group}`, nodeFileSystem().constants.W_OK);
    nodeFileSystem().accessSync(`${MOUNT}${group}/cgroup.procs`, nodeFileSystem().constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param reason why there is none */
export function noGroup(reason: string): BunkerError {
  return new BunkerError({
    code: "no_cgroup",
    operation: "make the container's cgroup",
    reason,
    hint: "bunker doctor says what a user needs for that",
  });
}
