import { dataDirectory } from "../../engine/data-directory.ts";
import { createNetwork, type RouteRequest, type SubnetRequest } from "../../engine/network/create-network.ts";
import { checkNetworkOptions } from "../../engine/network/network-options.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { lookUpNetwork } from "../../engine/state/networks.ts";
import { parseAddress } from "../../network/address.ts";
import { contains, type Prefix, parsePrefix } from "../../network/prefix.ts";
import { BunkerError } from "../../sys/error.ts";
import { type Address, isVersion4 } from "../../sys/internet-socket.ts";
import { defineCommand } from "../command.ts";
import { InvalidValue } from "../invalid-value.ts";
import { flag, list, single } from "../option.ts";
import { print } from "../print.ts";
import { oneOf } from "../values/choice.ts";
import { parseLabel } from "../values/life-values.ts";
import { parseAddresses } from "../values/names-and-addresses.ts";
import { integerBetween } from "../values/numbers.ts";

/** Of routes: Podman's, and the kernel's largest. */
const DEFAULT_METRIC = "100";
const LARGEST_METRIC = 2 ** 32 - 1;

/** `bunker network create`. */
export const create = defineCommand(
  {
    options: {
      attachable: flag({
        name: "attachable",
        description: "Let containers be put on it, as on all networks here",
        initial: true,
      }),
      reserved: list({
        name: "aux-address",
        valueName: "NAME=ADDRESS",
        description: "An address that no container gets",
        parse: parseReserved,
      }),
      noDns: flag({ name: "disable-dns", description: "Answer no names; containers have the host's resolvers" }),
      resolvers: list({
        name: "dns",
        valueName: "ADDRESS",
        description: "Ask it for names of the outside instead of the host's resolvers",
        parse: parseAddresses,
      }),
      driver: single({
        name: "driver",
        short: "d",
        valueName: "bridge",
        description: "What kind of network it is",
        parse: parseDriver,
        initial: "bridge",
        initialText: "bridge",
      }),
      gateways: list({
        name: "gateway",
        valueName: "ADDRESS",
        description: "Bunker's own address in a subnet, the first one without it",
        parse: parseGateway,
      }),
      ignore: flag({ name: "ignore", description: "No error when there is one of the name already" }),
      internal: flag({ name: "internal", description: "Reach nothing outside from it" }),
      ipamDriver: single({
        name: "ipam-driver",
        valueName: "default",
        description: "Who chooses addresses: Bunker, by Docker's name or Podman's, host-local",
        parse: oneOf("default", "host-local"),
        initial: "default",
      }),
      ranges: list({
        name: "ip-range",
        valueName: "ADDRESS/LENGTH",
        description: "Take containers' addresses from a part of a subnet",
        parse: parseSubnet,
      }),
      ipv4: flag({ name: "ipv4", description: "Have IPv4, as all networks here", initial: true }),
      ipv6: flag({ name: "ipv6", description: "Have IPv6, with a subnet of its own choice if none is given" }),
      labels: list({ name: "label", valueName: "KEY[=VALUE]", description: "Set a label", parse: parseLabel }),
      options: list({
        name: "opt",
        short: "o",
        valueName: "KEY=VALUE",
        description: "mtu=BYTES, no_default_route=true, com.docker.network.bridge.enable_icc=false and others",
        parse: parseOption,
      }),
      routes: list({
        name: "route",
        valueName: "NETWORK,GATEWAY[,METRIC]",
        description: "A route of each container",
        parse: parseRoute,
      }),
      scope: single({
        name: "scope",
        valueName: "local",
        description: "How far it reaches: this host",
        parse: oneOf("local"),
        initial: "local",
      }),
      subnets: list({
        name: "subnet",
        valueName: "ADDRESS/LENGTH",
        description: "Addresses of the network, of IPv4 and of IPv6; free ones without it",
        parse: parseSubnet,
      }),
    },
    required: ["NETWORK"],
    failureStatus: 1,
  },
  ({
    options: { attachable, noDns, gateways, ignore, internal, ipv4, ipv6, labels, options, ranges, reserved, ...asked },
    operands: [name],
  }) => {
    const { resolvers, routes, subnets } = asked;
    if (!attachable) throw impossible("--attachable=false", "containers can be put on every network");
    if (!ipv4) throw impossible("--ipv4=false", "every network has IPv4");
    const data = dataDirectory();
    using database = openContainers(data);
    if (ignore && lookUpNetwork(database, name)?.name === name) {
      print(name);
      return 0;
    }
    const requests = subnetRequests(subnets, gateways, ranges);
    const given = Object.fromEntries(options);
    checkNetworkOptions(given, ipv6 || requests.some(({ subnet }) => !isVersion4(subnet.address)));
    const { id } = createNetwork(database, data, {
      name,
      isInternal: internal,
      hasDns: !noDns,
      ipv6,
      subnets: requests,
      reserved: new Map(reserved),
      resolvers: resolvers.flat(),
      routes,
      options: given,
      labels: Object.fromEntries(labels),
    });
    print(id);
    return 0;
  },
);

function impossible(object: string, reason: string): BunkerError {
  return new BunkerError({ code: "invalid_network", operation: "create network", object, reason, exitStatus: 1 });
}

function parseDriver(text: string): "bridge" {
  const isOnDevice = ["ipvlan", "macvlan"].includes(text);
  if (isOnDevice) throw new InvalidValue("only root may put containers on a device of the host; expected bridge");
  if (text === "overlay") throw new InvalidValue("it is for networks of a Swarm cluster; expected bridge");
  if (text === "host" || text === "null") throw new InvalidValue("that network is always there; expected bridge");
  return oneOf("bridge")(text);
}

function parseSubnet(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new InvalidValue("expected a network such as 10.1.2.0/24");
  return prefix;
}

function parseGateway(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new InvalidValue("expected an IP address");
  return address;
}

function parseReserved(text: string): readonly [string, Address] {
  const [, name, value = ""] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  const address = parseAddress(value);
  if (name === undefined || address === undefined) throw new InvalidValue("expected NAME=ADDRESS");
  return [name, address];
}

function parseRoute(text: string): RouteRequest {
  const [network = "", gateway = "", metric = DEFAULT_METRIC, ...rest] = text.split(",");
  const destination = parsePrefix(network);
  const address = parseAddress(gateway);
  if (destination === undefined || address === undefined || rest.length > 0) {
    throw new InvalidValue("expected NETWORK,GATEWAY[,METRIC], such as 10.5.0.0/16,10.89.0.2");
  }
  return { destination, gateway: address, metric: integerBetween(1, LARGEST_METRIC)(metric) };
}

function parseOption(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, "true"] : [text.slice(0, equals), text.slice(equals + 1)];
}

/** Each gateway and range belongs to the subnet that it is in. */
function subnetRequests(
  subnets: readonly Prefix[],
  gateways: readonly Address[],
  ranges: readonly Prefix[],
): SubnetRequest[] {
  const requests = subnets.map((subnet) => ({
    subnet,
    gateway: gateways.find((address) => contains(subnet, address)),
    range: ranges.find(({ address }) => contains(subnet, address)),
  }));
  const isPlaced = (address: Address) => subnets.some((subnet) => contains(subnet, address));
  const stray = gateways.every(isPlaced) ? undefined : "gateway";
  const fault = stray ?? (ranges.every(({ address }) => isPlaced(address)) ? undefined : "ip-range");
  if (fault === undefined) return requests;
  throw new BunkerError({
    code: "invalid_network",
    operation: "create network",
    reason: `a --${fault} is in none of the subnets`,
    hint: "name the subnet: --subnet 10.1.2.0/24",
    exitStatus: 1,
  });
}
