import { lookUpContainer } from "../../engine/lifecycle/find-container.ts";
import { type PredefinedNetwork, predefinedNetwork } from "../../engine/network/predefined-networks.ts";
import { endpointsOfNetwork, type Network, type NetworkSubnet } from "../../engine/state/networks.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import type { Structure, Value } from "../format/template/value.ts";

/** The driver of a network, by Docker's names. */
export function driverOf({ name }: Network | PredefinedNetwork): string {
  return predefinedNetwork(name)?.driver ?? "bridge";
}

/**
 * What `docker network inspect` shows; Docker Engine API, NetworkInspect.
 * @param data Bunker's data directory
 */
export function inspectNetwork(database: StateDatabase, data: string, network: Network | PredefinedNetwork): Structure {
  const { name, id, created, isInternal, subnets, resolvers, routes, options, labels } = network;
  return {
    Name: name,
    Id: id,
    Created: new Date(created).toISOString(),
    Scope: "local",
    Driver: driverOf(network),
    EnableIPv4: subnets.length > 0,
    EnableIPv6: subnets.length > 1,
    IPAM: { Driver: "default", Options: new Map(), Config: subnets.map(subnetShown) },
    Internal: isInternal,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    NetworkDNSServers: resolvers,
    Routes: routes.map(({ destination, gateway, metric }) => ({
      Destination: destination,
      Gateway: gateway,
      Metric: metric,
    })),
    Containers: new Map(containersOn(database, data, network)),
    Options: mapOf(options),
    Labels: mapOf(labels),
  };
}

function subnetShown({ subnet, gateway, range, reserved }: NetworkSubnet): Structure {
  return {
    Subnet: subnet,
    ...(range === undefined ? {} : { IPRange: range }),
    Gateway: gateway,
    ...(Object.keys(reserved).length === 0 ? {} : { AuxiliaryAddresses: mapOf(reserved) }),
  };
}

/** Those that run, by their ids. */
function containersOn(database: StateDatabase, data: string, { id, subnets }: Network): [string, Structure][] {
  const lengths = subnets.map(({ subnet }) => subnet.slice(subnet.indexOf("/")));
  return endpointsOfNetwork(database, id).flatMap((endpoint): [string, Structure][] => {
    const container = lookUpContainer(database, data, endpoint.container);
    if (container?.status !== "running" && container?.status !== "paused") return [];
    const { ipv4, ipv6, hardwareAddress } = endpoint;
    const shown = {
      Name: container.name,
      EndpointID: endpoint.id,
      MacAddress: hardwareAddress,
      IPv4Address: `${ipv4}${lengths[0] ?? ""}`,
      IPv6Address: ipv6 === undefined ? "" : `${ipv6}${lengths[1] ?? ""}`,
    };
    return [[container.id, shown]];
  });
}

function mapOf(record: Readonly<Record<string, string>>): Value {
  return new Map(Object.entries(record));
}
