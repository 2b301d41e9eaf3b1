/* A container gets its places on networks: one transaction that finds the networks and chooses the addresses. */
import { formatAddress, parseAddress } from "../../network/address.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { findOptionsContainer } from "../lifecycle/find-container.ts";
import {
  type ContainerAlias,
  currentEndpoints,
  deleteEndpoint,
  type Endpoint,
  type EndpointRequest,
  endpointsOfContainer,
  insertEndpoint,
  type Network,
  type NetworkSubnet,
  newNetworkId,
} from "../state/networks.ts";
import { addressFault, freeAddress, hardwareAddressFor } from "./address-pool.ts";
import { deviceName, OWN_DEVICE } from "./container-links.ts";
import { findNetwork } from "./find-network.ts";
import { checkPlaceOptions, DEVICE_NAME } from "./place-options.ts";

/** A network by its name or id, and what is asked of the place on it; `links` by names or ids of containers. */
export type PlaceRequest = EndpointRequest & { readonly network: string };

function refusal(network: Network, reason: string, hint?: string): BunkerError {
  const what = { code: "no_address", operation: "connect to network", object: network.name };
  return new BunkerError({ ...what, reason, hint });
}

/**
 * Puts a container on networks.
 * @param container its id; it is on record, or its directory is locked
 * @param firstPosition the lowest number that its devices may have
 * @param missingStatus the command's exit status when there is no such network
 * @throws BunkerError `no_such_network`, `no_such_container`, `already_connected`, `no_address`,
 * `invalid_network_option`; the container is then on none of them
 */
export function takeEndpoints(
  database: StateDatabase,
  data: string,
  container: string,
  requests: readonly PlaceRequest[],
  firstPosition: number,
  missingStatus?: number,
): void {
  const namesToCome = requests.flatMap(({ options = {} }) => options[DEVICE_NAME] ?? []);
  database.transaction(() => {
    for (const { network: reference, ...wanted } of requests) {
      checkPlaceOptions(wanted.options ?? {});
      const request = { ...wanted, links: wanted.links?.map((link) => resolvedLink(database, data, link)) };
      const network = findNetwork(database, reference, missingStatus);
      for (const { network: former } of endpointsOfContainer(database, container)) {
        // Whatever was of this name is no more.
        if (former.isRemoved && former.name === network.name) deleteEndpoint(database, former.id, container);
      }
      const own = endpointsOfContainer(database, container);
      if (own.some(({ endpoint }) => endpoint.network === network.id)) {
        throw new BunkerError({
          code: "already_connected",
          operation: "connect to network",
          object: network.name,
          reason: "the container is on it already",
          exitStatus: 1,
        });
      }
      const others = currentEndpoints(database, data, network.id);
      const position = choosePosition(own, { request, network }, firstPosition, namesToCome);
      insertEndpoint(database, chooseAddresses(network, others, { container, position, request }));
    }
  });
}

/** The lowest number that is free for a device, with a name that no other one has or is to have. */
function choosePosition(
  own: ReturnType<typeof endpointsOfContainer>,
  { request, network }: { readonly request: EndpointRequest; readonly network: Network },
  firstPosition: number,
  namesToCome: readonly string[],
): number {
  const positions = new Set(own.map(({ endpoint }) => endpoint.position));
  const names = new Set(own.map((place) => deviceName(place.endpoint, place.network)));
  // Of the network that the container has for itself.
  if (firstPosition > 0) names.add(OWN_DEVICE);
  const given = request.options?.[DEVICE_NAME];
  if (given !== undefined && names.has(given)) throw refusal(network, `the container has a device ${given} already`);
  const isNameFree = (position: number) => {
    const name = deviceName({ position, request }, network);
    return given !== undefined || !(names.has(name) || namesToCome.includes(name));
  };
  let position = firstPosition;
  while (positions.has(position) || !isNameFree(position)) position++;
  return position;
}

/** Another container by its name, by which it is looked up on the network. */
function resolvedLink(database: StateDatabase, data: string, { container, alias }: ContainerAlias): ContainerAlias {
  return { container: findOptionsContainer(database, data, container).name.toLowerCase(), alias: alias.toLowerCase() };
}

function chooseAddresses(
  network: Network,
  others: readonly Endpoint[],
  { container, position, request }: Pick<Endpoint, "container" | "position" | "request">,
): Endpoint {
  const [four, six] = network.subnets;
  if (four === undefined) throw new Error("a network has a subnet of IPv4");
  const ipv4 = addressOf(network, four, request.ipv4, new Set(others.map((other) => other.ipv4)));
  if (six === undefined && request.ipv6 !== undefined) {
    throw refusal(network, "it has no IPv6", "make networks with IPv6 by network create --ipv6");
  }
  const taken = new Set(others.flatMap((other) => other.ipv6 ?? []));
  const ipv6 = six === undefined ? undefined : addressOf(network, six, request.ipv6, taken);
  const hardwareAddress = request.hardwareAddress ?? hardwareAddressFor(ipv4);
  const sameDevice = others.find((other) => other.hardwareAddress === hardwareAddress);
  if (sameDevice !== undefined) {
    throw refusal(network, `${hardwareAddress} is in use by container ${sameDevice.container.slice(0, 12)}`);
  }
  return { network: network.id, container, id: newNetworkId(), position, ipv4, ipv6, hardwareAddress, request };
}

function addressOf(
  network: Network,
  subnet: NetworkSubnet,
  wanted: string | undefined,
  taken: ReadonlySet<string>,
): string {
  if (wanted === undefined) {
    const free = freeAddress(subnet, taken);
    if (free === undefined) throw refusal(network, `no address of ${subnet.range ?? subnet.subnet} is free`);
    return free;
  }
  const address = parseAddress(wanted);
  const text = address === undefined ? wanted : formatAddress(address);
  const fault = address === undefined ? "it is no address" : addressFault(subnet, address);
  if (fault !== undefined) throw refusal(network, `address ${text}: ${fault}`);
  if (taken.has(text)) throw refusal(network, `address ${text}: Address already in use`);
  return text;
}
