/*
 * Where a container's packet may go: the border between the container and the host's own services.
 *
 * Everything that is out there is reached as a program of the user on the host would reach it, by a socket. Not so the
 * host's loopback, where services listen that trust whoever can connect: it is reached by the gateway's address only,
 * and only if that is allowed. The kernel has more than one name for it, and each is caught here: 127.0.0.0/8, ::1, the
 * unspecified addresses, which connect(2) takes for the loopback. (Mapped addresses in IPv6 never come so far.)
 */
import type { Address } from "../sys/internet-socket.ts";
import { isVersion4 } from "../sys/internet-socket.ts";
import {
  isLinkLocal6,
  isLoopback,
  isMulticast,
  LOOPBACK_4,
  LOOPBACK_6,
  sameAddress,
  UNSPECIFIED_4,
  UNSPECIFIED_6,
} from "./address.ts";
import type { NetworkConfiguration, Subnet } from "./configuration.ts";
import type { Egress } from "./egress.ts";
import { contains, prefixOf } from "./prefix.ts";

/**
 * What is done with a packet: sent on to an address, answered by the resolver, refused as by a host without that port,
 * as by a router that does not know the host or may not let it through, or not taken.
 */
export type Destination =
  | { readonly host: Address }
  | "resolver"
  | "refused"
  | "unreachable"
  | "prohibited"
  | "dropped";

/** The subnet of an address's version. */
export function subnetOf(configuration: NetworkConfiguration, address: Address): Subnet | undefined {
  return isVersion4(address) ? configuration.ipv4 : configuration.ipv6;
}

/** Whether an address is the stack's own. */
export function isOwnAddress(configuration: NetworkConfiguration, address: Address): boolean {
  const subnet = subnetOf(configuration, address);
  return subnet !== undefined && (sameAddress(address, subnet.gateway) || sameAddress(address, subnet.dns));
}

/**
 * Decides about a destination.
 * @param egress what may be reached outside
 * @param port for the resolver's address, which has no other than DNS_PORT; 0 where there are no ports
 */
export function destinationOf(
  configuration: NetworkConfiguration,
  egress: Egress,
  address: Address,
  port: number,
): Destination {
  const subnet = subnetOf(configuration, address);
  if (subnet === undefined) return "unreachable";
  if (sameAddress(address, subnet.dns) && port === DNS_PORT && configuration.answerDns) return "resolver";
  if (sameAddress(address, subnet.gateway) && configuration.allowHostLoopback) {
    return { host: isVersion4(address) ? LOOPBACK_4 : LOOPBACK_6 };
  }
  if (isOwnAddress(configuration, address)) return "refused";
  if (isMulticast(address) || isSubnetBroadcast(subnet, address)) return "dropped";
  if (isLoopback(address) || sameAddress(address, UNSPECIFIED_4) || sameAddress(address, UNSPECIFIED_6)) {
    return "dropped";
  }
  if (configuration.isInternal === true) return "unreachable";
  if (configuration.isShared === true && isOnLink(subnet, address)) return "unreachable";
  // Which of the host's links would be meant?
  if (!isVersion4(address) && isLinkLocal6(address)) return "unreachable";
  return egress.permits(address) ? { host: address } : "prohibited";
}

/** Whether an address is one of the link's own. */
export function isOnLink({ prefixLength, gateway }: Subnet, address: Address): boolean {
  return contains(prefixOf(gateway, prefixLength), address);
}

function isSubnetBroadcast({ prefixLength, address: own }: Subnet, address: Address): boolean {
  if (!isVersion4(address) || prefixLength >= 31) return false;
  const hostBits = 2 ** (32 - prefixLength) - 1;
  return address[3] === (own[3] | hostBits);
}

/** The port of DNS. */
export const DNS_PORT = 53;
