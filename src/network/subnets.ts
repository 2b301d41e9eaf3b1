/*
 * The addresses of a container's network, by the places that slirp gives them.
 */
import { version4Address } from "./address.ts";
import type { Subnet } from "./configuration.ts";

const GATEWAY = 2;
const DNS = 3;
const CONTAINER = 100;

/** The largest prefix length of a network that has all of these addresses. */
export const LONGEST_PREFIX_4 = 25;

/**
 * The places in an IPv4 network.
 * @param network its address, as a 32-bit number
 */
export function subnet4(network: number, prefixLength: number): Subnet {
  const host = (number: number) => version4Address(network + number);
  return { prefixLength, address: host(CONTAINER), gateway: host(GATEWAY), dns: host(DNS) };
}

/** 10.0.2.0/24. */
export const DEFAULT_SUBNET_4: Subnet = subnet4(0x0a000200, 24);

/** fd00::/64. */
export const DEFAULT_SUBNET_6: Subnet = {
  prefixLength: 64,
  address: [0xfd000000 | 0, 0, 0, 0x100],
  gateway: [0xfd000000 | 0, 0, 0, GATEWAY],
  dns: [0xfd000000 | 0, 0, 0, DNS],
};
