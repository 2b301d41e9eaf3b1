/* A network comes into being: a row, with subnets that no other network has. */
import { formatAddress } from "../../network/address.ts";
import {
  addressNumber,
  contains,
  formatPrefix,
  overlaps,
  type Prefix,
  parsePrefix,
  rangeOf,
} from "../../network/prefix.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { type Address, isVersion4 } from "../../sys/internet-socket.ts";
import { recordNetworkEvent } from "../events/journal.ts";
import {
  insertNetwork,
  listNetworks,
  lookUpNetwork,
  type Network,
  type NetworkRoute,
  type NetworkSubnet,
  newNetworkId,
} from "../state/networks.ts";
import { firstAddress, freeSubnet } from "./address-pool.ts";
import { predefinedNetwork } from "./predefined-networks.ts";

/** What a user asks of a subnet. */
export interface SubnetRequest {
  readonly subnet: Prefix;
  readonly gateway: Address | undefined;
  readonly range: Prefix | undefined;
}

/** What a user asks of a route of a network's containers. */
export interface RouteRequest {
  readonly destination: Prefix;
  /** Of the network, also a container's. */
  readonly gateway: Address;
  readonly metric: number;
}

/** What a user asks of a network. */
export interface NetworkRequest {
  readonly name: string;
  readonly isInternal: boolean;
  readonly hasDns: boolean;
  /** Whether it has IPv6 even if no subnet says so. */
  readonly ipv6: boolean;
  readonly subnets: readonly SubnetRequest[];
  /** Addresses that no container gets, by names without a meaning. */
  readonly reserved: ReadonlyMap<string, Address>;
  /** Asked for names of the outside instead of the host's; none for those. */
  readonly resolvers: readonly Address[];
  readonly routes: readonly RouteRequest[];
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

function refusal(reason: string, details: { readonly object?: string; readonly hint?: string } = {}): BunkerError {
  const { object, hint } = details;
  return new BunkerError({ code: "invalid_network", operation: "create network", object, reason, hint, exitStatus: 1 });
}

/** This host, its loopback, and groups of hosts; and of IPv6 what each device has anyway. */
const NOT_FOR_LINKS = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/16", "fe80::/10", "ff00::/8"].flatMap(
  (text) => parsePrefix(text) ?? [],
);

/** What `run --network` takes for something else, besides the networks that are always there. */
const WORDS_OF_RUN = ["default", "private", "slirp", "slirp4netns", "pasta", "container", "ns"];

/**
 * Makes a network.
 * @throws BunkerError `network_exists`, `invalid_network` for names, subnets and addresses that cannot be
 */
export function createNetwork(database: StateDatabase, data: string, request: NetworkRequest): Network {
  const { name, isInternal, hasDns, options, labels } = request;
  const resolvers = checkedResolvers(request);
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(name)) {
    throw refusal("expected up to 255 of [a-zA-Z0-9_.-], beginning with a letter or digit", {
      object: JSON.stringify(name.slice(0, 100)),
    });
  }
  const network = database.transaction(
    () => {
      if (predefinedNetwork(name) !== undefined || WORDS_OF_RUN.includes(name)) {
        throw refusal("the name has another meaning", { object: name });
      }
      if (lookUpNetwork(database, name)?.name === name) {
        throw new BunkerError({
          code: "network_exists",
          operation: "create network",
          object: name,
          reason: `network with name ${name} already exists`,
          exitStatus: 1,
        });
      }
      const subnets = chooseSubnets(request, takenSubnets(database));
      const routes = request.routes.map((route) => checkedRoute(route, subnets));
      const id = newNetworkId();
      const asked = { name, isInternal, hasDns, resolvers, options, labels };
      const created = { ...asked, id, created: Date.now(), subnets, routes, isRemoved: false };
      insertNetwork(database, created);
      return created;
    },
    { durable: true },
  );
  recordNetworkEvent(data, "create", network);
  return network;
}

function checkedResolvers({ hasDns, resolvers }: NetworkRequest): string[] {
  if (!hasDns && resolvers.length > 0) {
    throw refusal("with --disable-dns nobody would ask the resolvers of --dns", {
      hint: "Give them to the containers: bunker run --dns ADDRESS --network NAME",
    });
  }
  return resolvers.map(formatAddress);
}

function checkedRoute({ destination, gateway, metric }: RouteRequest, subnets: readonly NetworkSubnet[]): NetworkRoute {
  const object = `${formatPrefix(destination)},${formatAddress(gateway)}`;
  if (isVersion4(destination.address) !== isVersion4(gateway)) {
    throw refusal("a route and its gateway are of one IP version", { object });
  }
  const prefixes = subnets.flatMap(({ subnet }) => parsePrefix(subnet) ?? []);
  if (!prefixes.some((prefix) => contains(prefix, gateway))) {
    throw refusal("the gateway of a route is an address of the network", { object });
  }
  if (prefixes.some((prefix) => overlaps(prefix, destination) && prefix.length <= destination.length)) {
    throw refusal("the route leads to the network itself", { object });
  }
  return { destination: formatPrefix(destination), gateway: formatAddress(gateway), metric };
}

function takenSubnets(database: StateDatabase): { readonly name: string; readonly prefix: Prefix }[] {
  return listNetworks(database).flatMap(({ name, subnets }) =>
    subnets.flatMap(({ subnet }) => {
      const prefix = parsePrefix(subnet);
      return prefix === undefined ? [] : [{ name, prefix }];
    }),
  );
}

/** One subnet of IPv4, and one of IPv6 if there is to be IPv6. */
function chooseSubnets(
  request: NetworkRequest,
  taken: readonly { readonly name: string; readonly prefix: Prefix }[],
): NetworkSubnet[] {
  const ofVersion = (version: 4 | 6) =>
    request.subnets.filter(({ subnet }) => isVersion4(subnet.address) === (version === 4));
  const [four, ...moreOfFour] = ofVersion(4);
  const [six, ...moreOfSix] = ofVersion(6);
  if (moreOfFour.length + moreOfSix.length > 0) throw refusal("a network has one subnet of each IP version");
  const wanted = [four ?? chosen(4), ...(six === undefined && !request.ipv6 ? [] : [six ?? chosen(6)])];
  const misplaced = [...request.reserved.values()].find(
    (address) => !wanted.some(({ subnet }) => contains(subnet, address)),
  );
  if (misplaced !== undefined) throw refusal("the address is in no subnet", { object: formatAddress(misplaced) });
  return wanted.map((subnet) => checkedSubnet(subnet, request.reserved, taken));

  function chosen(version: 4 | 6): SubnetRequest {
    const free = freeSubnet(
      version,
      taken.map(({ prefix }) => prefix),
    );
    if (free !== undefined) return { subnet: free, gateway: undefined, range: undefined };
    throw refusal("no subnet is free", { hint: "choose one: --subnet 10.1.2.0/24" });
  }
}

function checkedSubnet(
  { subnet, gateway = firstAddress(subnet), range }: SubnetRequest,
  reserved: ReadonlyMap<string, Address>,
  taken: readonly { readonly name: string; readonly prefix: Prefix }[],
): NetworkSubnet {
  const object = formatPrefix(subnet);
  if (NOT_FOR_LINKS.some((prefix) => overlaps(prefix, subnet))) {
    throw refusal("its addresses have another meaning on every host", {
      object,
      hint: "Private ones are 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 and fd00::/8",
    });
  }
  const other = taken.find(({ prefix }) => overlaps(prefix, subnet));
  if (other !== undefined) {
    throw refusal(`subnet ${formatPrefix(other.prefix)} of network ${other.name} overlaps with it`, { object });
  }
  const { first, last } = rangeOf(subnet);
  // The subnet's own address, the gateway's, and IPv4's broadcast address are not for containers.
  if (last - first < 3n) throw refusal("it has no room for containers", { object });
  if (!contains(subnet, gateway)) throw refusal(`gateway ${formatAddress(gateway)} is not in it`, { object });
  const number = addressNumber(gateway);
  if (number === first || (number === last && isVersion4(gateway))) {
    throw refusal(`gateway ${formatAddress(gateway)} is not a host's address`, { object });
  }
  if (range !== undefined && !(contains(subnet, range.address) && range.length >= subnet.length)) {
    throw refusal(`range ${formatPrefix(range)} is not in it`, { object });
  }
  const within = [...reserved].filter(([, address]) => contains(subnet, address));
  return {
    subnet: object,
    gateway: formatAddress(gateway),
    range: range === undefined ? undefined : formatPrefix(range),
    reserved: Object.fromEntries(within.map(([name, address]) => [name, formatAddress(address)])),
  };
}
