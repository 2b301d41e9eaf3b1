/* What devices a container that starts gets, and how each of them is served. */
import { parseAddress } from "../../network/address.ts";
import type { NetworkConfiguration, Subnet } from "../../network/configuration.ts";
import { type Prefix, parsePrefix } from "../../network/prefix.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import type { Address } from "../../sys/internet-socket.ts";
import type { Route } from "../../sys/netlink.ts";
import type { ContainerDefinition } from "../state/container-definition.ts";
import {
  type Endpoint,
  endpointsOfContainer,
  lookUpNetwork,
  type Network,
  type NetworkSubnet,
} from "../state/networks.ts";
import { devicePrefixOf, hasDefaultRoute, mtuOf, reachEachOther } from "./network-options.ts";
import type { LinkMembership } from "./network-plan-schema.ts";
import { DEVICE_NAME, deviceParameters } from "./place-options.ts";
import { routeMetric } from "./route-order.ts";

/** The device of a network that a container has for itself. */
export const OWN_DEVICE = "eth0";

/** A device of a container, and what is behind it. */
export interface ContainerLink {
  /** `eth0`. */
  readonly device: string;
  readonly configuration: NetworkConfiguration;
  /** As the user has given it, or as its place says; undefined for one of the kernel's choice. */
  readonly hardwareAddress: string | undefined;
  /** Of its default routes. */
  readonly metric: number;
  /** Besides those. */
  readonly routes: readonly Route[];
  /** Files below /proc/sys and what is written to them. */
  readonly parameters: readonly (readonly [path: string, value: string])[];
  /** The network that it shares with others; undefined for one of its own. */
  readonly membership: LinkMembership | undefined;
}

/** Who a container is, for those who look it up by its name. */
export interface NamedContainer {
  readonly id: string;
  readonly name: string;
  readonly hostname: string | undefined;
  readonly definition: Pick<ContainerDefinition, "networkPlan" | "membership">;
}

/** The devices of a container that starts; none where its network is not Bunker's. */
export function containerLinks(database: StateDatabase, container: NamedContainer): ContainerLink[] {
  const { networkPlan, membership } = container.definition;
  if (networkPlan === undefined && membership === undefined) return [];
  const own = networkPlan === undefined ? [] : [ownLink(networkPlan.configuration, networkPlan.hardwareAddress)];
  const shared = endpointsOfContainer(database, container.id).map((place) => sharedLink(container, place));
  return [...own, ...shared];
}

/**
 * The devices of a container that is about to be started. To be called by who holds its lock: from here on its networks
 * are in use.
 * @throws BunkerError `no_such_network` when one was removed that the container was on
 */
export function devicesToStart(database: StateDatabase, container: NamedContainer): ContainerLink[] {
  if (container.definition.membership === undefined && endpointsOfContainer(database, container.id).length === 0) {
    return containerLinks(database, container);
  }
  // Alone: whoever removes a network at the same time sees the lock, or is seen here.
  return database.transaction(() => {
    const removed = endpointsOfContainer(database, container.id).find(({ network }) => network.isRemoved)?.network;
    if (removed === undefined) return containerLinks(database, container);
    const { name: network, id } = removed;
    const isMadeAgain = lookUpNetwork(database, network)?.name === network;
    throw new BunkerError({
      code: "no_such_network",
      operation: `network ${network}`,
      object: `(${id.slice(0, 12)})`,
      reason: "not found: it was removed while the container did not run",
      hint: isMadeAgain
        ? `Put the container on the new network of this name: bunker network connect ${network} ${container.name}`
        : `Take the container off it: bunker network disconnect ${network} ${container.name}`,
      exitStatus: 1,
    });
  });
}

/** The device of a network that a container has for itself. */
export function ownLink(configuration: NetworkConfiguration, hardwareAddress: string | undefined): ContainerLink {
  const metric = routeMetric(0, 0);
  return {
    device: OWN_DEVICE,
    configuration,
    hardwareAddress,
    metric,
    routes: [],
    parameters: [],
    membership: undefined,
  };
}

/** The device of a container's place on a network. */
export function sharedLink(
  container: NamedContainer,
  { endpoint, network }: { readonly endpoint: Endpoint; readonly network: Network },
): ContainerLink {
  const { position, hardwareAddress, request } = endpoint;
  const { options } = network;
  const own = container.definition.membership?.resolvers ?? [];
  const resolvers = own.length > 0 ? own : network.resolvers.map(addressOf);
  const [four, six] = network.subnets;
  if (four === undefined) throw new Error("a network has a subnet of IPv4");
  const configuration: NetworkConfiguration = {
    mtu: mtuOf(options),
    ipv4: subnetOf(four, endpoint.ipv4),
    ipv6: six === undefined || endpoint.ipv6 === undefined ? undefined : subnetOf(six, endpoint.ipv6),
    allowHostLoopback: false,
    answerDns: network.hasDns,
    advertise: false,
    isShared: true,
    isSeparated: !reachEachOther(options),
    isInternal: network.isInternal,
    hasDefaultRoute: hasDefaultRoute(options),
    ...(resolvers.length === 0 ? {} : { resolvers }),
  };
  const device = deviceName({ position, request }, network);
  return {
    device,
    configuration,
    hardwareAddress,
    metric: routeMetric(request.gatewayPriority ?? 0, position),
    routes: routesOf(network, endpoint),
    parameters: deviceParameters(request.options ?? {}, device),
    membership: {
      network: network.id,
      name: network.name,
      hardwareAddress,
      names: namesOf(container, request.aliases),
      links: request.links ?? [],
    },
  };
}

/** The routes of a container on a network: those that it is not the gateway of. */
function routesOf({ routes }: Network, { ipv4, ipv6 }: Endpoint): Route[] {
  const others = routes.filter(({ gateway }) => gateway !== ipv4 && gateway !== ipv6);
  return others.map(({ destination, gateway, metric }) => ({
    destination: prefixOf(destination),
    gateway: addressOf(gateway),
    metric,
  }));
}

/** What the device of a container's place on a network is called. */
export function deviceName(
  { position, request }: Pick<Endpoint, "position" | "request">,
  { options }: Network,
): string {
  return request.options?.[DEVICE_NAME] ?? `${devicePrefixOf(options)}${position}`;
}

function subnetOf(subnet: NetworkSubnet, address: string): Subnet {
  const gateway = addressOf(subnet.gateway);
  return { prefixLength: prefixOf(subnet.subnet).length, address: addressOf(address), gateway, dns: gateway };
}

function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(`${text} is a network of the state database`);
  return prefix;
}

function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`${text} is an address of the state database`);
  return address;
}

/** What a container is called on a network: by its name, its aliases, its short id and its host name, as with Docker. */
export function namesOf({ id, name, hostname }: NamedContainer, aliases: readonly string[]): string[] {
  const all = [name, ...aliases, id.slice(0, 12), ...(hostname === undefined ? [] : [hostname])];
  return [...new Set(all.map((text) => text.toLowerCase()))];
}
