/*
 * A network namespace that a container does not make but joins: another container's (`container:ID`), or one that has a
 * path (`ns:PATH`).
 *
 * The kernel lets a process join a network namespace only with rights over the user namespace that owns it, and a user
 * has no such rights but inside of that user namespace. So the container joins the owner's user namespace as well, and
 * its own namespaces belong to that one. That asks for the same ids in both: files are stored under them. What else
 * containers have of their own (processes, files, host name) they keep.
 *
 * Which process has the namespaces is found anew at each start.
 */
import { closeSync, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import type { Configuration, IdMapping, Namespace } from "../../runtime/configuration/configuration.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import { findContainer } from "../lifecycle/find-container.ts";
import { readConfiguration } from "../state/container-configuration.ts";
import type { Container } from "../state/containers.ts";
import { joinedContainer, joinedPath } from "./network-mode.ts";

/** ioctl_ns(2). */
const NS_GET_USERNS = 0xb701;

/**
 * The container whose network another one joins: the one that is named or, if that has joined one itself, whose that is.
 * @param reference a name or id
 * @throws BunkerError `no_such_container`
 */
export function networkOwner(database: StateDatabase, data: string, reference: string): Container {
  const container = findContainer(database, data, reference);
  const joined = joinedContainer(container.definition.network);
  return joined === undefined ? container : networkOwner(database, data, joined);
}

/**
 * The configuration of a container that starts, with the paths of the namespaces that it joins.
 * @param mode of its network; see network-mode.ts
 * @throws BunkerError `container_not_running`, `no_such_container`, `namespace_not_found`, `different_ids`
 */
export function withJoinedNetwork(
  database: StateDatabase,
  data: string,
  configuration: Configuration,
  mode: string,
): Configuration {
  const container = joinedContainer(mode);
  const path = joinedPath(mode);
  const namespaces = configuration.linux?.namespaces ?? [];
  const isOwn = namespaces.some(({ type }) => type === "network");
  if (!isOwn || (container === undefined && path === undefined)) return configuration;
  const hasUserNamespace = namespaces.some(({ type }) => type === "user");
  const network = container === undefined ? (path ?? "") : networkOf(database, data, container);
  const process = hasUserNamespace ? ownerOf(network) : undefined;
  if (process !== undefined) checkIds(configuration, process, mode);
  const paths: Partial<Record<Namespace["type"], string>> = {
    network,
    ...(process === undefined ? {} : { user: `/proc/${process}/ns/user` }),
  };
  return {
    ...configuration,
    linux: {
      ...configuration.linux,
      namespaces: namespaces.map((namespace) => {
        const joined = paths[namespace.type];
        return joined === undefined ? namespace : { ...namespace, path: joined };
      }),
    },
  };
}

function networkOf(database: StateDatabase, data: string, id: string): string {
  const { name, status, pid } = findContainer(database, data, id);
  if ((status === "running" || status === "paused") && pid !== undefined) return `/proc/${pid}/ns/net`;
  throw new BunkerError({
    code: "container_not_running",
    operation: "join the network of container",
    object: name,
    reason: "it is not running",
    hint: "Start it first.",
  });
}

/**
 * A process in the user namespace that owns a network namespace.
 * @returns undefined when that is this process's own
 */
function ownerOf(path: string): string | undefined {
  const owner = userNamespaceOf(path);
  if (owner === statSync("/proc/self/ns/user").ino) return undefined;
  const found = readdirSync("/proc").find((pid) => /^\d+$/.test(pid) && userNamespace(pid) === owner);
  if (found !== undefined) return found;
  throw new BunkerError({
    code: "namespace_not_found",
    operation: "join the network namespace",
    object: path,
    reason: "no process of yours is in the user namespace that owns it",
    hint: "Only a network that belongs to you can be joined.",
  });
}

function userNamespace(pid: string): number | undefined {
  try {
    return statSync(`/proc/${pid}/ns/user`).ino;
  } catch {
    // It has ended, or is another user's.
    return undefined;
  }
}

/** The inode of the user namespace that owns a network namespace. */
function userNamespaceOf(path: string): number {
  let opened: number;
  try {
    opened = openSync(path, "r");
  } catch (error) {
    const errno = errnoOf(error);
    throw new BunkerError({
      code: "namespace_not_found",
      operation: "open the network namespace",
      object: path,
      errno,
    });
  }
  try {
    const owner = systemCall(SystemCall.ioctl, opened, NS_GET_USERNS, 0);
    if (owner < 0) {
      const what = { operation: "join the network namespace", object: path, errno: -owner };
      const hint = "PATH is a network namespace that belongs to you, such as /proc/PID/ns/net.";
      throw new BunkerError({ code: "namespace_not_found", ...what, hint });
    }
    using _owner = new FileDescriptor(owner);
    return statSync(`/proc/self/fd/${owner}`).ino;
  } finally {
    closeSync(opened);
  }
}

/** @throws BunkerError when the owner of a network has other ids than the container that joins it */
function checkIds({ linux }: Configuration, process: string, mode: string): void {
  const isSame = (mappings: readonly IdMapping[] | undefined, file: string) => {
    const own = (mappings ?? []).map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}`);
    const theirs = readFileSync(`/proc/${process}/${file}`, "latin1").trim().split("\n");
    return own.join("\n") === theirs.map((line) => line.trim().split(/\s+/).join(" ")).join("\n");
  };
  if (isSame(linux?.uidMappings, "uid_map") && isSame(linux?.gidMappings, "gid_map")) return;
  throw new BunkerError({
    code: "different_ids",
    operation: "join the network",
    object: mode,
    reason: "the user namespace that owns it has other ids than this container's",
    hint: "Give both containers the same --userns.",
  });
}

/** The host name of a container. */
export function hostnameOf(data: string, { id }: Container): string {
  return readConfiguration(data, id).hostname ?? id.slice(0, 12);
}
