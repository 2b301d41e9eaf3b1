/*
 * Theory of operation: the cgroup of an OCI runtime's container.
 *
 * Nothing of the runtime's stays beside a container, so there is one cgroup, with the container's processes:
 *
 *   .../PATH                         made here (cgroupfs), removed by `delete`
 *   .../SLICE/PREFIX-NAME.scope/     made by systemd, and gone with the last process
 *       container/
 *
 * In a scope the container is one level further in: the scope's own files are systemd's, which writes them again when
 * it is reloaded.
 *
 * The container's process waits in its namespaces while this is done, and executes nothing before its limits hold.
 *
 * An ordinary user may have no right to make a cgroup, and then gets none, unless there are limits to be kept. What is
 * tried, when nobody says who is to make it: by hand, where cgroups are ours (root, or within a delegated one), else by
 * the user's systemd.
 */
import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";
import type { FileDescriptor } from "../sys/file-descriptor.ts";
import { groupOfFirst, openGroupToEnter } from "./entry.ts";
import { groupOf, isPopulated, isThere, isUnified, moveInto } from "./group.ts";
import { enableControllers, makeGroup, removeGroup } from "./group-tree.ts";
import { killGroup } from "./kill-group.ts";
import { setLimits } from "./limits.ts";
import { pathPlace, type ScopePlace, scopePlace } from "./place.ts";
import { type Resources, resourceFiles } from "./resource-files.ts";
import { isRootOfHost } from "./root-of-host.ts";
import { type BusAddress, systemdAddress } from "./systemd/address.ts";
import { requestScope, type ScopeRequest, type UnitProperty } from "./systemd/transient-scope.ts";

/** What is kept about a cgroup that was made. */
export interface MadeGroup {
  /** Its path in the hierarchy. */
  readonly path: string;
  /** The outermost one that was made with it. */
  readonly outermost: string;
  /** The name of systemd's unit that it is in. */
  readonly unit?: string | undefined;
}

/** A cgroup that is wanted for a container. */
export interface GroupRequest {
  readonly id: string;
  /** `linux.cgroupsPath`; empty for none. */
  readonly cgroupsPath: string;
  /** Who makes it; undefined for whoever can. */
  readonly manager: "cgroupfs" | "systemd" | undefined;
  /** With rules for devices only where they can be obeyed. */
  readonly resources: Resources;
  /** Whether a container without limits does without a cgroup where we have no right to make one. */
  readonly isOptional: boolean;
  /** Further properties of a scope. */
  readonly properties: readonly UnitProperty[];
}

/** Errors that say that we have no right to make or enter a cgroup. */
const NO_RIGHT: readonly (number | undefined)[] = [Errno.EACCES, Errno.EPERM, Errno.EROFS];

/**
 * Why no container gets a cgroup on this host.
 * @returns undefined when one may be had
 * @throws BunkerError `no_cgroup` when limits need one, `limit_not_supported`
 */
export function missingSupport({ resources }: GroupRequest): string | undefined {
  const isNeeded = resourceFiles(resources).length > 0;
  if (isUnified()) return undefined;
  const reason = "/sys/fs/cgroup is not cgroup v2 alone: this host has v1 or a mixture";
  if (isNeeded) throw needsGroup(reason);
  return reason;
}

/**
 * Begins to make a cgroup for a process.
 * @param pid of the container's process, which has executed nothing yet
 * @returns what ends it: returns the cgroup, or why there is none
 * @throws BunkerError `no_cgroup`, `limit_not_supported`, `invalid_configuration`; and so may what it returns, with
 * `controller_not_delegated` and `limit_not_set` besides; nothing is left of the cgroup then
 */
export function beginGroup(request: GroupRequest, pid: number): () => MadeGroup | { readonly missing: string } {
  const isNeeded = resourceFiles(request.resources).length > 0;
  const without = (error: unknown) => {
    if (!(error instanceof BunkerError) || !isNoRight(error)) throw error;
    if (isNeeded) throw needsGroup(error.message);
    if (!request.isOptional) throw error;
    return { missing: error.message };
  };
  try {
    const finish = (group: string, outermost: string, unit: string | undefined): MadeGroup => {
      enableControllers(group, unit === undefined ? "/" : outermost);
      setLimits(group, request.resources);
      return { path: group, outermost, unit };
    };
    const settle = begin(request, pid, finish);
    return () => {
      try {
        return settle();
      } catch (error) {
        return without(error);
      }
    };
  } catch (error) {
    const missing = without(error);
    return () => missing;
  }
}

type Finish = (group: string, outermost: string, unit: string | undefined) => MadeGroup;

function begin(request: GroupRequest, pid: number, finish: Finish): () => MadeGroup {
  const { id, cgroupsPath, manager } = request;
  if (manager === "systemd") return beginScope(request, scopePlace(cgroupsPath, id), systemdOf(), pid, finish);
  const path = pathPlace(cgroupsPath, id, groupOf("self") ?? "/");
  try {
    return makeByHand(path, pid, finish);
  } catch (error) {
    const systemd = systemdAddress(process.env, isRootOfHost());
    if (!isNoRight(error) || manager !== undefined || cgroupsPath !== "" || systemd === undefined) throw error;
    return beginScope(request, scopePlace("", id), systemd, pid, finish);
  }
}

function makeByHand(path: string, pid: number, finish: Finish): () => MadeGroup {
  const outermost = makeGroup(path);
  if (isPopulated(path)) {
    throw new BunkerError({
      code: "cgroup_in_use",
      operation: "make the cgroup",
      object: path,
      reason: "there are processes in it",
    });
  }
  try {
    moveInto(path, pid);
  } catch (error) {
    removeGroup(path, outermost);
    throw error;
  }
  return () => {
    try {
      return finish(path, outermost, undefined);
    } catch (error) {
      removeGroup(path, outermost);
      throw error;
    }
  };
}

function beginScope(
  { id, properties }: GroupRequest,
  { name, slice }: ScopePlace,
  systemd: BusAddress,
  pid: number,
  finish: Finish,
): () => MadeGroup {
  const request: ScopeRequest = {
    name,
    description: `Bunker container ${id}`,
    pids: [pid],
    slice,
    properties,
  };
  const requested = requestScope(systemd, request);
  return () => {
    using scope = requested;
    scope.settle();
    const path = groupOf(pid);
    if (path === undefined || !path.endsWith(`/${name}`)) {
      throw noGroup(`systemd has started ${name}, but the container is in ${path ?? "no cgroup v2"}`);
    }
    const group = `${path}/container`;
    makeGroup(group);
    moveInto(group, pid);
    return finish(group, path, name);
  };
}

function systemdOf(): BusAddress {
  const isRoot = isRootOfHost();
  const address = systemdAddress(process.env, isRoot);
  if (address !== undefined) return address;
  throw noGroup(
    isRoot
      ? "no systemd can be asked for one: there is no /run/systemd/private"
      : "no systemd of this user can be asked for one: there is no socket of it in XDG_RUNTIME_DIR",
  );
}

function noGroup(reason: string): BunkerError {
  return new BunkerError({ code: "no_cgroup", operation: "make the container's cgroup", reason });
}

function isNoRight(error: unknown): boolean {
  return error instanceof BunkerError && (error.code === "no_cgroup" || NO_RIGHT.includes(error.errno));
}

function needsGroup(reason: string): BunkerError {
  return new BunkerError({
    code: "no_cgroup",
    operation: "limit the container's resources: no writable cgroup",
    reason,
    hint: "limits need a cgroup v2 subtree, which systemd delegates to users who are logged in; or leave linux.resources out",
  });
}

/**
 * Prepares this process to clone children into the cgroup of a container.
 * @param pid of the container's first process, which may be in a cgroup below
 * @param below a path from the container's cgroup to one that is entered wherever the first process is; "" for itself
 * @returns the cgroup's directory
 * @throws BunkerError `cgroup_not_entered`, `cgroup_gone`
 */
export function openMadeGroup({ path, outermost, unit }: MadeGroup, pid: number, below?: string): FileDescriptor {
  const systemd = unit === undefined ? undefined : systemdAddress(process.env, isRootOfHost());
  const scope =
    unit === undefined || systemd === undefined ? undefined : { path: outermost, unit, besides: "runtime", systemd };
  if (below === undefined) return openGroupToEnter(groupOfFirst(path, pid), scope);
  const group = below === "" ? path : `${path}/${below}`;
  if (isThere(group)) return openGroupToEnter(group, scope);
  throw new BunkerError({
    code: "cgroup_gone",
    operation: "enter the cgroup",
    object: group,
    errno: Errno.ENOENT,
    hint: "it has to be made before, such as in the container",
  });
}

/**
 * Kills what is in the cgroup of a container that has ended, and removes it; a scope goes with its last process.
 * @throws BunkerError `cgroup_not_removed`
 */
export function removeMadeGroup({ path, outermost, unit }: MadeGroup): void {
  if (unit === undefined) removeGroup(path, outermost);
  else killGroup(path);
}
