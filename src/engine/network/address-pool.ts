/*
 * Which addresses networks and containers get that have not asked for some.
 *
 * Networks: /24 of 10.89.0.0 and up, the range that Podman takes, and for IPv6 a /64 of a random unique local prefix
 * (RFC 4193). What overlaps with another network, or with where the host has routes to, is left out: what lies there
 * could not be reached from the network.
 *
 * Containers: the lowest address that is free. Hardware addresses are made of the IPv4 address, as Docker long did: a
 * container that gets an address of somebody who has left is not taken for that one by those who still remember.
 */

import { formatAddress, parseAddress } from "../../network/address.ts";
import { addressNumber, contains, numberedAddress, type Prefix, parsePrefix, rangeOf } from "../../network/prefix.ts";
import { type Address, isVersion4 } from "../../sys/internet-socket.ts";
import { nodeOperatingSystem } from "../../sys/node-modules.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import type { NetworkSubnet } from "../state/networks.ts";

/** What single containers have, with `--network slirp`. */
const SLIRP = "10.0.2.0/24";
const SUBNET_SIZE = 256;
/** 10.89.0.0 and 10.255.255.0. */
const FIRST_SUBNET = 0x0a590000;
const LAST_SUBNET = 0x0affff00;

/** Where the host has routes to, but for the default one; proc_net_route(5). */
function hostRoutes(): Prefix[] {
  const lines = (readIfThere("/proc/net/route") ?? "").split("\n").slice(1);
  const routes = lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [destination, mask] = [Number.parseInt(fields[1] ?? "", 16), Number.parseInt(fields[7] ?? "", 16)];
    if (Number.isNaN(destination) || Number.isNaN(mask) || mask === 0) return [];
    // In the order of bytes in memory, which is the other way round.
    const swapped = Buffer.alloc(4);
    swapped.writeUInt32LE(destination >>> 0);
    const length = mask.toString(2).replaceAll("0", "").length;
    return [{ address: [0, 0, 0xffff, swapped.readInt32BE()] as Address, length }];
  });
  const own = Object.values(nodeOperatingSystem().networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .flatMap(({ cidr }) => parsePrefix(cidr ?? "") ?? []);
  return [...routes, ...own];
}

/**
 * A subnet that is free.
 * @param taken those of other networks
 * @returns undefined when there is none left
 */
export function freeSubnet(version: 4 | 6, taken: readonly Prefix[]): Prefix | undefined {
  if (version === 6) {
    const random = crypto.getRandomValues(new Int32Array(2));
    return {
      address: [0xfd000000 | ((random[0] ?? 0) & 0xffffff) | 0, (random[1] ?? 0) & 0xffff0000, 0, 0],
      length: 64,
    };
  }
  const slirp = parsePrefix(SLIRP);
  const occupied = [...taken, ...hostRoutes(), ...(slirp === undefined ? [] : [slirp])]
    .filter(({ address }) => isVersion4(address))
    .map((prefix) => {
      const { first, last } = rangeOf(prefix);
      return { first: Number(first), last: Number(last) };
    });
  for (let first = FIRST_SUBNET; first <= LAST_SUBNET; ) {
    const last = first + SUBNET_SIZE - 1;
    const hindrance = occupied.find((other) => other.first <= last && other.last >= first);
    if (hindrance === undefined) return { address: [0, 0, 0xffff, first | 0], length: 24 };
    // Behind all of it.
    first = Math.max(last + 1, Math.floor(hindrance.last / SUBNET_SIZE + 1) * SUBNET_SIZE);
  }
  return undefined;
}

/** The address behind a subnet's own, which its gateway gets. */
export function firstAddress(subnet: Prefix): Address {
  return numberedAddress(addressNumber(subnet.address) + 1n, subnet.address);
}

/** Why a container cannot have an address of a subnet; undefined when it can. */
export function addressFault({ subnet, gateway, reserved }: NetworkSubnet, address: Address): string | undefined {
  const prefix = parsePrefix(subnet);
  if (prefix === undefined || !contains(prefix, address)) return `it is not in ${subnet}`;
  const text = formatAddress(address);
  if (text === gateway) return "it is the gateway's";
  if (Object.values(reserved).includes(text)) return "it is reserved";
  return isUsable(prefix, addressNumber(address)) ? undefined : "it is not a host's";
}

/** Neither the subnet's own address nor its broadcast address. */
function isUsable(prefix: Prefix, number: bigint): boolean {
  const { first, last } = rangeOf(prefix);
  if (!isVersion4(prefix.address)) return number !== first;
  return prefix.length >= 31 || (number !== first && number !== last);
}

/**
 * The lowest address of a subnet that nobody has.
 * @param taken by others, as people write them
 * @returns undefined when there is none left
 */
export function freeAddress(network: NetworkSubnet, taken: ReadonlySet<string>): string | undefined {
  const prefix = parsePrefix(network.subnet);
  const range = parsePrefix(network.range ?? network.subnet);
  if (prefix === undefined || range === undefined) throw new Error(`a subnet is written as ${network.subnet}`);
  const { first, last } = rangeOf(range);
  for (let number = first; number <= last; number++) {
    const address = numberedAddress(number, prefix.address);
    const text = formatAddress(address);
    if (!taken.has(text) && addressFault(network, address) === undefined) return text;
  }
  return undefined;
}

/** The hardware address of whoever has an IPv4 address: locally administered. */
export function hardwareAddressFor(ipv4: string): string {
  const number = parseAddress(ipv4)?.[3] ?? 0;
  const bytes = [0x02, 0x42, number >>> 24, (number >>> 16) & 0xff, (number >>> 8) & 0xff, number & 0xff];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
