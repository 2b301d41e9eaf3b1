/*
 * What a container's own network is made of, as plain data: it is planned when the container is made, kept in its
 * definition, and obeyed whenever it starts.
 */

import { UNSPECIFIED_4, UNSPECIFIED_6 } from "../../network/address.ts";
import type { NetworkConfiguration } from "../../network/configuration.ts";
import type { TransportProtocol } from "../../network/published-port.ts";
import { DEFAULT_SUBNET_4, DEFAULT_SUBNET_6 } from "../../network/subnets.ts";
import type { Address } from "../../sys/internet-socket.ts";
import { exists } from "../../sys/named-file.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import type { NetworkSettings, PortRange, PublishRequest } from "../specification/run-options.ts";
import type { Endpoint, Network } from "../state/networks.ts";
import { hasDefaultRoute, hostBindingOf } from "./network-options.ts";
import type { NetworkPlan, PortForward } from "./network-plan-schema.ts";
import { inRouteOrder, routeMetric } from "./route-order.ts";

const DEFAULT_MTU = 65_520;

/**
 * What a container's network is to be.
 * @param exposedPorts of the image, in its notation: `80/tcp`
 */
export function planNetwork(settings: NetworkSettings, exposedPorts: readonly string[]): NetworkPlan {
  const { slirp } = settings;
  const { outbound4, outbound6 } = slirp;
  const configuration: NetworkConfiguration = {
    mtu: slirp.mtu ?? DEFAULT_MTU,
    ipv4: slirp.subnet ?? DEFAULT_SUBNET_4,
    ipv6: (slirp.ipv6 ?? hostHasIpv6()) ? DEFAULT_SUBNET_6 : undefined,
    allowHostLoopback: slirp.allowHostLoopback,
    answerDns: true,
    advertise: false,
    ...(outbound4 === undefined ? {} : { outbound4 }),
    ...(outbound6 === undefined ? {} : { outbound6 }),
  };
  const forwards = planForwards(settings, exposedPorts, everywhere(configuration.ipv6 !== undefined));
  return {
    configuration,
    hardwareAddress: settings.hardwareAddress,
    forwards,
    egress: egressOf(settings),
    shaping: settings.shaping,
  };
}

/**
 * Which ports of the host are to lead into a container.
 * @param exposedPorts of the image, in its notation: `80/tcp`
 * @param addresses of the host, for ports that are published without one
 */
export function planForwards(
  settings: NetworkSettings,
  exposedPorts: readonly string[],
  addresses: readonly Address[],
): PortForward[] {
  const published = settings.published.flatMap((request) => forwardsOf(request, addresses));
  const exposed = settings.publishAll ? [...exposedPorts.flatMap(parseExposed), ...settings.exposed] : [];
  const isPublished = (protocol: TransportProtocol, port: number) =>
    published.some((forward) => forward.protocol === protocol && forward.containerPort === port);
  const chosen = exposed
    .flatMap((container) => forwardsOf({ container, host: undefined, address: undefined }, addresses))
    .filter(({ protocol, containerPort }) => !isPublished(protocol, containerPort));
  const distinct = new Map(chosen.map((forward) => [`${forward.containerPort}/${forward.protocol}`, forward]));
  return [...published, ...distinct.values()];
}

/** The host's addresses for ports of a container on users' networks: as the network says that leads outside. */
export function hostAddressesFor(
  places: readonly { readonly endpoint: Endpoint; readonly network: Network }[],
): readonly Address[] {
  const outward = places.filter(({ network }) => !network.isInternal && hasDefaultRoute(network.options));
  const [first] = inRouteOrder(
    outward.map(({ endpoint: { request, position }, network }) => ({
      network,
      metric: routeMetric(request.gatewayPriority ?? 0, position),
    })),
  );
  const binding = first === undefined ? undefined : hostBindingOf(first.network.options);
  return binding === undefined ? everywhere(places.some(({ endpoint }) => endpoint.ipv6 !== undefined)) : [binding];
}

/** All addresses of the host, of the IP versions that a container has. */
function everywhere(hasIpv6: boolean): readonly Address[] {
  return hasIpv6 ? [UNSPECIFIED_4, UNSPECIFIED_6] : [UNSPECIFIED_4];
}

/** What alone may be reached, for the state database. */
export function egressOf({ egress }: NetworkSettings): NetworkPlan["egress"] {
  return egress === undefined ? undefined : { names: [...egress.names], networks: [...egress.networks] };
}

function hostHasIpv6(): boolean {
  const isDisabled = readIfThere("/proc/sys/net/ipv6/conf/default/disable_ipv6")?.trim() !== "0";
  return exists("/proc/net/if_inet6") && !isDisabled;
}

function parseExposed(text: string): PortRange[] {
  const [, first = "", last = first, protocol = "tcp"] = /^(\d+)(?:-(\d+))?(?:\/(\w+))?$/.exec(text) ?? [];
  if (first === "" || (protocol !== "tcp" && protocol !== "udp")) return [];
  return [{ protocol, first: Number(first), last: Number(last) }];
}

/** One for each port of the container; with more ports of the host than of the container each may have any of them. */
function forwardsOf({ container, host, address }: PublishRequest, addressesWithout: readonly Address[]): PortForward[] {
  const { protocol, first, last } = container;
  const isParallel = host !== undefined && host.last - host.first === last - first;
  return Array.from({ length: last - first + 1 }, (_, index) => ({
    protocol,
    addresses: address === undefined ? [...addressesWithout] : [address],
    host: isParallel ? { first: host.first + index, last: host.first + index } : host,
    containerPort: first + index,
  }));
}
