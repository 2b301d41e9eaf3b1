/* What can be asked of a container's place on a network. */
import { LARGEST_GATEWAY_PRIORITY } from "../../engine/network/route-order.ts";
import type { ContainerAlias } from "../../engine/state/networks.ts";
import { formatAddress, isMulticast, parseAddress } from "../../network/address.ts";
import { parseHardwareAddress } from "../../network/switch/station.ts";
import { isVersion4 } from "../../sys/internet-socket.ts";
import { InvalidValue } from "../invalid-value.ts";
import { integerBetween } from "./numbers.ts";

/**
 * Makes the reader of an address of one IP version.
 * @returns what throws InvalidValue, and returns the address in its usual form
 */
export function addressOfVersion(version: 4 | 6): (text: string) => string {
  return (text) => {
    const address = parseAddress(text);
    if (address === undefined || isVersion4(address) !== (version === 4) || isMulticast(address)) {
      throw new InvalidValue(`expected an IPv${version} address`);
    }
    return formatAddress(address);
  };
}

/**
 * Reads a hardware address of a single device.
 * @returns it with colons, in lower case
 * @throws InvalidValue
 */
export function parseMacAddress(text: string): string {
  const bytes = parseHardwareAddress(text);
  const isNobody = bytes?.every((byte) => byte === 0) ?? true;
  if (bytes === undefined || isNobody || ((bytes[0] ?? 0) & 1) !== 0) {
    throw new InvalidValue("expected a hardware address such as 02:42:0a:59:00:02");
  }
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/**
 * Reads how much a network is preferred as the one that leads outside.
 * @throws InvalidValue
 */
export const parseGatewayPriority: (text: string) => number = integerBetween(
  -LARGEST_GATEWAY_PRIORITY,
  LARGEST_GATEWAY_PRIORITY,
);

/**
 * Reads a further name of a container on a network.
 * @throws InvalidValue
 */
export function parseNetworkAlias(text: string): string {
  if (/^[a-z\d_]([a-z\d_.-]{0,251}[a-z\d_])?$/i.test(text)) return text;
  throw new InvalidValue("expected a name of letters, digits, dots, hyphens and underscores");
}

/**
 * Reads what a container calls another one: `CONTAINER` or `CONTAINER:ALIAS`.
 * @throws InvalidValue
 */
export function parseLink(text: string): ContainerAlias {
  const [, container, alias = container] = /^([^:]+)(?::([^:]+))?$/.exec(text) ?? [];
  if (container === undefined || alias === undefined) throw new InvalidValue("expected CONTAINER[:ALIAS]");
  return { container, alias: parseNetworkAlias(alias) };
}

/**
 * Reads an option of a place on a network.
 * @throws InvalidValue
 */
export function parsePlaceOption(text: string): readonly [name: string, value: string] {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidValue("expected NAME=VALUE");
  return [text.slice(0, equals), text.slice(equals + 1)];
}
