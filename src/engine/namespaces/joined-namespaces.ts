/*
 * Namespaces that a container does not make but joins: another container's (`container:ID`), or one that has a path
 * (`ns:PATH`).
 *
 * The kernel lets a process join a namespace only with rights over the user namespace that owns it, and a user has no
 * such rights but inside of that user namespace. So the container joins the owner's user namespace as well, and its own
 * namespaces belong to that one. That asks for the same ids in both: files are stored under them. What else containers
 * have of their own (files, mounts, and what is not joined) they keep.
 *
 * So all that a container joins has to belong to one user namespace. Containers are in one if one of them has joined
 * something of the other, if only its user namespace.
 *
 * Which process has the namespaces is found anew at each start.
 */
import { closeSync, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import type { Configuration, IdMapping } from "../../runtime/configuration/configuration.ts";
import { type NamespaceType, namespaceFile } from "../../runtime/configuration/namespaces.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import { findOptionsContainer } from "../lifecycle/find-container.ts";
import type { ContainerDefinition } from "../state/container-definition.ts";
import { joinedContainer, joinedModes, joinedPath } from "./namespace-mode.ts";

/** ioctl_ns(2). */
const NS_GET_USERNS = 0xb701;

const SHARED_MEMORY = "/dev/shm";

/** The names of namespaces in Docker's messages. */
const NAMES: Readonly<Record<NamespaceType, string>> = {
  cgroup: "the cgroup namespace",
  ipc: "IPC",
  mount: "the mount namespace",
  network: "network",
  pid: "PID",
  time: "the time namespace",
  user: "the user namespace",
  uts: "UTS",
};

/** A container that starts, with what it joins. */
interface JoiningConfiguration {
  /** With the paths of the namespaces. */
  readonly configuration: Configuration;
  /** For `launchContainer`: where the shared memory is that comes with an IPC namespace. */
  readonly mountNamespaces: ReadonlyMap<string, string>;
}

/**
 * The configuration of a container that starts, with the paths of the namespaces that it joins.
 * @throws BunkerError `container_not_running`, `no_such_container`, `namespace_not_found`, `different_ids`,
 * `different_user_namespaces`
 */
export function withJoinedNamespaces(
  database: StateDatabase,
  data: string,
  configuration: Configuration,
  definition: ContainerDefinition,
): JoiningConfiguration {
  const namespaces = configuration.linux?.namespaces ?? [];
  // Where the other container has the host's, so has this one, and makes or joins none.
  const modes = joinedModes(definition).filter(([joined]) => namespaces.some(({ type }) => type === joined));
  const paths = new Map<NamespaceType, string>();
  const mountNamespaces = new Map<string, string>();
  for (const [type, mode] of modes) {
    const container = joinedContainer(mode);
    const directory = container === undefined ? undefined : namespacesOf(database, data, type, container);
    paths.set(type, directory === undefined ? (joinedPath(mode) ?? "") : `${directory}/${namespaceFile(type)}`);
    const isTheirMemory =
      type === "ipc" && !definition.mountPoints.some((mount) => mount.destination === SHARED_MEMORY);
    if (directory !== undefined && isTheirMemory) mountNamespaces.set(SHARED_MEMORY, `${directory}/mnt`);
  }
  if (namespaces.some(({ type }) => type === "user")) {
    const process = processInOwner(paths);
    if (process !== undefined) {
      checkIds(
        configuration,
        process,
        modes.map(([, mode]) => mode),
      );
      paths.set("user", `/proc/${process}/ns/user`);
    }
  }
  return {
    configuration: {
      ...configuration,
      linux: {
        ...configuration.linux,
        namespaces: namespaces.map((namespace) => {
          const path = paths.get(namespace.type);
          return path === undefined ? namespace : { ...namespace, path };
        }),
      },
    },
    mountNamespaces,
  };
}

/** The directory of the namespaces of a container that runs. */
function namespacesOf(database: StateDatabase, data: string, type: NamespaceType, id: string): string {
  const { name, status, pid } = findOptionsContainer(database, data, id);
  if ((status === "running" || status === "paused") && pid !== undefined) return `/proc/${pid}/ns`;
  throw new BunkerError({
    code: "container_not_running",
    operation: `cannot join ${NAMES[type]} of a non running container: ${name}`,
    hint: "Start it first.",
  });
}

/**
 * A process in the user namespace that namespaces belong to.
 * @param paths of the namespaces
 * @returns undefined when that is this process's own
 * @throws BunkerError `namespace_not_found`, `different_user_namespaces`
 */
function processInOwner(paths: ReadonlyMap<NamespaceType, string>): string | undefined {
  const own = statSync("/proc/self/ns/user").ino;
  const owners = [...paths].map(([type, path]) => ({
    path,
    owner: type === "user" ? inodeOf(type, path) : owningUserNamespace(type, path),
  }));
  const [first, ...others] = owners.filter(({ owner }) => owner !== own);
  if (first === undefined) return undefined;
  const other = others.find(({ owner }) => owner !== first.owner);
  if (other !== undefined) {
    throw new BunkerError({
      code: "different_user_namespaces",
      operation: `join both ${first.path} and ${other.path}`,
      reason: "they belong to different user namespaces, and a process is in one only",
      hint: "Make one of those containers with --userns container:NAME of the other.",
    });
  }
  const found = readdirSync("/proc").find((pid) => /^\d+$/.test(pid) && userNamespace(pid) === first.owner);
  if (found !== undefined) return found;
  throw new BunkerError({
    code: "namespace_not_found",
    operation: "join the namespace",
    object: first.path,
    reason: "no process of yours is in the user namespace that owns it",
    hint: "Only a namespace that belongs to you can be joined.",
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

function inodeOf(type: NamespaceType, path: string): number {
  try {
    return statSync(path).ino;
  } catch (error) {
    throw notThere(type, path, error);
  }
}

function notThere(type: NamespaceType, path: string, error: unknown): BunkerError {
  const operation = `open the ${type} namespace`;
  return new BunkerError({ code: "namespace_not_found", operation, object: path, errno: errnoOf(error) });
}

/** The inode of the user namespace that owns a namespace. */
function owningUserNamespace(type: NamespaceType, path: string): number {
  let opened: number;
  try {
    opened = openSync(path, "r");
  } catch (error) {
    throw notThere(type, path, error);
  }
  try {
    const owner = systemCall(SystemCall.ioctl, opened, NS_GET_USERNS, 0);
    if (owner < 0) {
      const what = { operation: `join the ${type} namespace`, object: path, errno: -owner };
      const hint = `PATH is a ${type} namespace that belongs to you, such as /proc/PID/ns/${namespaceFile(type)}.`;
      throw new BunkerError({ code: "namespace_not_found", ...what, hint });
    }
    using _owner = new FileDescriptor(owner);
    return statSync(`/proc/self/fd/${owner}`).ino;
  } finally {
    closeSync(opened);
  }
}

/** @throws BunkerError when the owner of namespaces has other ids than the container that joins them */
function checkIds({ linux }: Configuration, process: string, modes: readonly string[]): void {
  const isSame = (mappings: readonly IdMapping[] | undefined, file: string) => {
    const own = (mappings ?? []).map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}`);
    const theirs = readFileSync(`/proc/${process}/${file}`, "latin1").trim().split("\n");
    return own.join("\n") === theirs.map((line) => line.trim().split(/\s+/).join(" ")).join("\n");
  };
  if (isSame(linux?.uidMappings, "uid_map") && isSame(linux?.gidMappings, "gid_map")) return;
  throw new BunkerError({
    code: "different_ids",
    operation: "join",
    object: [...new Set(modes)].join(" and "),
    reason: "the user namespace that owns it has other ids than this container's",
    hint: "Give both containers the same --userns.",
  });
}
