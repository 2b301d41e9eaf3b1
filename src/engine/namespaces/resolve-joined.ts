/*
 * What a new container joins of others, when it is made: the others are found by their names, and from then on known by
 * their ids. A container that has joined a namespace itself stands for whose that is, and one that has the host's means
 * the host's. So does a path that leads to the host's, which a container has by not having its own: to join it takes
 * rights that its user namespace does not give.
 */
import { statSync } from "node:fs";
import { type NamespaceType, namespaceFile } from "../../runtime/configuration/namespaces.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { readRequest } from "../lifecycle/creation-request.ts";
import { findOptionsContainer } from "../lifecycle/find-container.ts";
import type { JoinedNamespace, RunOptions, UserNamespaceMode } from "../specification/run-options.ts";
import { readConfiguration } from "../state/container-configuration.ts";
import type { ContainerDefinition } from "../state/container-definition.ts";
import type { Container } from "../state/containers.ts";
import { joinedContainer, joinedModes, namespaceMode } from "./namespace-mode.ts";

/** What is asked for, with the other containers found. */
export interface ResolvedOptions {
  /** With the ids of containers instead of their names. */
  readonly options: RunOptions;
  /** What it means for the new container: `host` where the other one has the host's. */
  readonly meant: Pick<RunOptions, "network" | "pidNamespace" | "ipcNamespace" | "utsNamespace" | "cgroupNamespace">;
  /** Whose ids it has. */
  readonly userNamespace: UserNamespaceMode;
  readonly joined: ContainerDefinition["joined"];
  /** The container whose network it has, or whose host name. */
  readonly networkOwner: Container | undefined;
  readonly hostnameOwner: Container | undefined;
}

/**
 * Finds the containers whose namespaces are joined.
 * @throws BunkerError `no_such_container`; `not_shareable` for an IPC namespace that is private
 */
export function resolveJoined(database: StateDatabase, data: string, asked: RunOptions): ResolvedOptions {
  const given = withoutPathsOfOwn(asked);
  const resolve = (type: NamespaceType, joined: JoinedNamespace) => {
    if (joined.kind === "path") return { joined, owner: undefined, isHosts: false };
    const owner = ownerOf(database, data, type, joined.container);
    const resolved: JoinedNamespace = { kind: "container", container: owner.id };
    const namespaces = readConfiguration(data, owner.id).linux?.namespaces ?? [];
    return { joined: resolved, owner, isHosts: !namespaces.some((namespace) => namespace.type === type) };
  };
  const resolveMode = <Mode extends string>(type: NamespaceType, mode: Mode | JoinedNamespace) => {
    if (typeof mode === "string") return { given: mode, meant: mode, joined: undefined, owner: undefined };
    const { joined, owner, isHosts } = resolve(type, mode);
    return { given: joined, meant: isHosts ? ("host" as const) : joined, joined, owner };
  };
  const { networkSettings, userNamespace } = given;
  const network = networkSettings.joined === undefined ? undefined : resolve("network", networkSettings.joined);
  const pid = resolveMode("pid", given.pidNamespace);
  const ipc = resolveMode("ipc", given.ipcNamespace);
  const uts = resolveMode("uts", given.utsNamespace);
  const cgroup = resolveMode("cgroup", given.cgroupNamespace);
  const user = userNamespace.kind === "joined" ? resolve("user", userNamespace.joined) : undefined;
  if (ipc.owner !== undefined) checkShareable(data, ipc.owner);
  const mode = (joined: JoinedNamespace | undefined) => (joined === undefined ? undefined : namespaceMode(joined));
  return {
    options: {
      ...given,
      networkSettings: { ...networkSettings, joined: network?.joined },
      pidNamespace: pid.given,
      ipcNamespace: ipc.given,
      utsNamespace: uts.given,
      cgroupNamespace: cgroup.given,
      userNamespace: user === undefined ? userNamespace : { kind: "joined", joined: user.joined },
    },
    meant: {
      network: network?.isHosts === true ? "host" : given.network,
      pidNamespace: pid.meant,
      ipcNamespace: ipc.meant,
      utsNamespace: uts.meant,
      cgroupNamespace: cgroup.meant,
    },
    userNamespace: idsOf(data, userNamespace, user?.owner),
    joined: {
      cgroup: mode(cgroup.joined),
      ipc: mode(ipc.joined),
      pid: mode(pid.joined),
      user: mode(user?.joined),
      uts: mode(uts.joined),
    },
    networkOwner: network?.owner,
    hostnameOwner: uts.meant === "host" ? undefined : uts.owner,
  };
}

function withoutPathsOfOwn(asked: RunOptions): RunOptions {
  const { networkSettings, userNamespace } = asked;
  const orHost = <Mode extends string>(type: NamespaceType, mode: Mode | JoinedNamespace) =>
    typeof mode !== "string" && isOwn(type, mode) ? ("host" as const) : mode;
  const isOwnNetwork = networkSettings.joined !== undefined && isOwn("network", networkSettings.joined);
  const isOwnUser = userNamespace.kind === "joined" && isOwn("user", userNamespace.joined);
  return {
    ...asked,
    network: isOwnNetwork ? "host" : asked.network,
    networkSettings: isOwnNetwork ? { ...networkSettings, joined: undefined } : networkSettings,
    pidNamespace: orHost("pid", asked.pidNamespace),
    ipcNamespace: orHost("ipc", asked.ipcNamespace),
    utsNamespace: orHost("uts", asked.utsNamespace),
    cgroupNamespace: orHost("cgroup", asked.cgroupNamespace),
    userNamespace: isOwnUser ? { kind: "host" } : userNamespace,
  };
}

/** Whether it is a path of the namespace that this process is in. */
function isOwn(type: NamespaceType, joined: JoinedNamespace): boolean {
  if (joined.kind === "container") return false;
  const own = statSync(`/proc/self/ns/${namespaceFile(type)}`);
  try {
    const { dev, ino } = statSync(joined.path);
    return dev === own.dev && ino === own.ino;
  } catch {
    // Why it cannot be joined is said when the container starts: it may be there by then.
    return false;
  }
}

/** The container that is named or, if that has joined another one's namespace, whose that is. */
function ownerOf(database: StateDatabase, data: string, type: NamespaceType, reference: string): Container {
  const container = findOptionsContainer(database, data, reference);
  const [, mode = ""] = joinedModes(container.definition).find(([joined]) => joined === type) ?? [];
  const joined = joinedContainer(mode);
  return joined === undefined ? container : ownerOf(database, data, type, joined);
}

/** Who shares a user namespace has the ids in it, as the container was given them that has made it. */
function idsOf(data: string, mode: UserNamespaceMode, owner: Container | undefined): UserNamespaceMode {
  if (mode.kind !== "joined") return mode;
  if (owner === undefined) return { kind: "default" };
  return idsOf(data, readRequest(data, owner.id).options.userNamespace, undefined);
}

/** As in Docker, whoever makes a container has to say that others may share its IPC namespace. */
function checkShareable(data: string, { id, name }: Container): void {
  const { ipcNamespace } = readRequest(data, id).options;
  if (typeof ipcNamespace !== "string" || ipcNamespace === "shareable" || ipcNamespace === "host") return;
  throw new BunkerError({
    code: "not_shareable",
    operation: `cannot join IPC of container ${name}`,
    reason: "non-shareable IPC",
    hint: "Make that container with --ipc shareable.",
  });
}
