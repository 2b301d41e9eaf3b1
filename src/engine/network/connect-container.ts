/*
 * Putting a container on a network, and taking it off, also while it runs: its place in the state database comes first
 * and is what counts; then a device is made in the running container and handed to its supervisor. What fails on the way
 * takes the place back.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { StateDatabase } from "../../state/state-database.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { identify, openIdentified } from "../../sys/process-identity.ts";
import { recordNetworkEvent } from "../events/journal.ts";
import { awaitServed } from "../lifecycle/open-network.ts";
import { readConfiguration } from "../state/container-configuration.ts";
import { isHeld } from "../state/container-directory.ts";
import { containerDirectory } from "../state/container-lock.ts";
import type { Container } from "../state/containers.ts";
import { deleteEndpoint, type EndpointRequest, endpointsOfContainer, type Network } from "../state/networks.ts";
import { connectToSupervisor, nextAnswer, tell } from "../supervisor/connect.ts";
import { type ContainerLink, containerLinks, namesOf, sharedLink } from "./container-links.ts";
import { type DevicePlace, openDevice, removeDevice } from "./network-device.ts";
import { ownNames } from "./network-files.ts";
import { changedTexts, namedNetworks } from "./network-texts.ts";
import { takeEndpoints } from "./take-endpoints.ts";

/** @throws BunkerError when a container's network is not its own, or none */
function checkMode({ name, definition }: Container): void {
  if (definition.networkPlan !== undefined || definition.membership !== undefined) return;
  const reason =
    definition.network === "none"
      ? "container cannot be connected to multiple networks with one of the networks in private (none) mode"
      : "container sharing network namespace with another container or host cannot be connected to any other network";
  throw new BunkerError({ code: "no_network", operation: "connect container", object: name, reason, exitStatus: 1 });
}

/** A container with the host name that it has. */
function named(data: string, container: Container) {
  const { hostname, domainname } = readConfiguration(data, container.id);
  return { ...container, hostname, domainname };
}

/**
 * Works on a container that runs, by its namespaces and the socket to its supervisor.
 * @returns undefined when it does not run, or has ended before that was done: what is on record counts from its next start
 */
function whileRunning<Result>(
  data: string,
  container: Container,
  work: (place: DevicePlace, supervisor: FileDescriptor) => Result,
): Result | undefined {
  const { id, pid, startTime } = container;
  if (pid === undefined || startTime === undefined) return undefined;
  using pidfd = openIdentified({ pid, startTime });
  using supervisor = connectToSupervisor(data, id);
  if (pidfd === undefined || supervisor === undefined) return undefined;
  const hasUserNamespace = readConfiguration(data, id).linux?.uidMappings !== undefined;
  try {
    return work({ network: pidfd.number, user: hasUserNamespace ? pidfd.number : undefined }, supervisor);
  } catch (error) {
    if (identify(pid)?.startTime !== startTime) return undefined;
    throw error;
  }
}

/** @throws BunkerError `container_busy` while a command starts or removes it, and so may or may not see a change */
function checkIdle(data: string, { id, name, status }: Container): void {
  if (status === "running" || status === "paused" || status === "restarting" || !isHeld(data, id)) return;
  const reason = "another command is working on it";
  throw new BunkerError({
    code: "container_busy",
    operation: "connect container",
    object: name,
    reason,
    exitStatus: 1,
  });
}

/**
 * Puts a container on a network.
 * @throws BunkerError `already_connected`, `no_address`, `no_network`, `container_busy`, and what keeps it from working
 */
export function connectContainer(
  database: StateDatabase,
  data: string,
  container: Container,
  network: Network,
  request: EndpointRequest,
): void {
  checkMode(container);
  checkIdle(data, container);
  const { id } = container;
  const known = named(data, container);
  const before = containerLinks(database, known);
  const firstPosition = container.definition.networkPlan === undefined ? 0 : 1;
  takeEndpoints(database, data, id, [{ ...request, network: network.id }], firstPosition);
  try {
    const place = endpointsOfContainer(database, id).find(({ endpoint }) => endpoint.network === network.id);
    if (place === undefined) throw new Error("a place that was just taken is there");
    const link = sharedLink(known, place);
    whileRunning(data, container, (where, supervisor) => {
      using device = openDevice(link, where);
      const { configuration, metric, membership } = link;
      tell(supervisor, { kind: "network", configuration, metric, membership }, [device.number]);
      awaitServed(supervisor);
    });
  } catch (error) {
    deleteEndpoint(database, network.id, id);
    throw error;
  }
  rewriteTexts(data, known, before, containerLinks(database, known));
  recordNetworkEvent(data, "connect", network, { container: id });
}

/**
 * Takes a container off a network.
 * @throws BunkerError `not_connected`, `container_busy`
 */
export function disconnectContainer(
  database: StateDatabase,
  data: string,
  container: Container,
  network: Network,
  { force }: { readonly force: boolean },
): void {
  const { id, name } = container;
  const known = named(data, container);
  const before = containerLinks(database, known);
  const link = before.find(({ membership }) => membership?.network === network.id);
  if (link === undefined) {
    throw new BunkerError({
      code: "not_connected",
      operation: "disconnect",
      object: name,
      reason: `container ${name} is not connected to network ${network.name}`,
      exitStatus: 1,
    });
  }
  if (!force) checkIdle(data, container);
  deleteEndpoint(database, network.id, id);
  whileRunning(data, container, (where, supervisor) => {
    tell(supervisor, { kind: "leave", network: network.id });
    for (let answer = nextAnswer(supervisor); answer !== undefined && answer.kind !== "left"; ) {
      answer = nextAnswer(supervisor);
    }
    // Others may have its file open for a moment more.
    try {
      removeDevice(link.device, where);
    } catch (error) {
      if (!(error instanceof BunkerError && error.errno === Errno.ENODEV)) throw error;
    }
  });
  rewriteTexts(data, known, before, containerLinks(database, known));
  recordNetworkEvent(data, "disconnect", network, { container: id });
}

/** Makes a container's new name known on its networks. */
export function renameOnNetworks(database: StateDatabase, data: string, container: Container): void {
  const places = endpointsOfContainer(database, container.id);
  if (places.length === 0) return;
  using supervisor = connectToSupervisor(data, container.id);
  if (supervisor === undefined) return;
  const known = named(data, container);
  for (const { endpoint, network } of places) {
    tell(supervisor, { kind: "rename", network: network.id, names: namesOf(known, endpoint.request.aliases) });
  }
}

/** Brings /etc/hosts and /etc/resolv.conf up to date; they are bound into the container, so they are written in place. */
function rewriteTexts(
  data: string,
  { id, hostname = id.slice(0, 12), domainname, definition }: ReturnType<typeof named>,
  before: readonly ContainerLink[],
  after: readonly ContainerLink[],
): void {
  const directory = containerDirectory(data, id);
  const paths = { hosts: `${directory}/hosts`, resolvConf: `${directory}/resolv.conf` };
  const texts = { hosts: readFileSync(paths.hosts, "utf8"), resolvConf: readFileSync(paths.resolvConf, "utf8") };
  const names = ownNames(hostname, domainname).join(" ");
  const networks = { before: namedNetworks(before), after: namedNetworks(after) };
  const changed = changedTexts(texts, networks, names, definition.membership !== undefined);
  writeFileSync(paths.hosts, changed.hosts);
  writeFileSync(paths.resolvConf, changed.resolvConf);
}
