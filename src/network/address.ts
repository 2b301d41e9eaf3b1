/*
 * Internet addresses as people write them, and as sets.
 */
import { type Address, type Endpoint, isVersion4 } from "../sys/internet-socket.ts";

/** The IPv4 address of a 32-bit number. */
export function version4Address(value: number): Address {
  return [0, 0, 0xffff, value | 0];
}

/** 0.0.0.0. */
export const UNSPECIFIED_4 = version4Address(0);
/** 127.0.0.1. */
export const LOOPBACK_4 = version4Address(0x7f000001);
/** `::`. */
export const UNSPECIFIED_6: Address = [0, 0, 0, 0];
/** `::1`. */
export const LOOPBACK_6: Address = [0, 0, 0, 1];

/**
 * Reads an IPv4 or IPv6 address without a zone; RFC 4291, section 2.2. node:net could say what is well-formed, but
 * brings all of Node's streams with it, a millisecond of every start.
 * @returns undefined for anything else
 */
export function parseAddress(text: string): Address | undefined {
  if (!text.includes(":")) {
    const value = version4Value(text);
    return value === undefined ? undefined : version4Address(value);
  }
  const groups = groupsOf(text);
  if (groups === undefined) return undefined;
  const word = (index: number) => ((groups[2 * index] ?? 0) << 16) | (groups[2 * index + 1] ?? 0);
  return [word(0), word(1), word(2), word(3)];
}

/** The 32 bits of an IPv4 address. */
function version4Value(text: string): number | undefined {
  const octets = text.split(".");
  if (octets.length !== 4 || !octets.every((octet) => isOctet(octet))) return undefined;
  return octets.reduce((value, octet) => (value << 8) | Number(octet), 0);
}

/** The eight 16-bit groups of an IPv6 address. */
function groupsOf(text: string): readonly number[] | undefined {
  const hexadecimal = withoutVersion4(text);
  if (hexadecimal === undefined) return undefined;
  const [before, after, ...more] = hexadecimal.split("::").map((part) => (part === "" ? [] : part.split(":")));
  if (before === undefined || more.length > 0) return undefined;
  const given = [...before, ...(after ?? [])];
  const missing = 8 - given.length;
  if (!given.every((group) => isGroup(group)) || (after === undefined ? missing !== 0 : missing < 1)) return undefined;
  const zeros = Array<string>(missing).fill("0");
  return [...before, ...zeros, ...(after ?? [])].map((group) => Number.parseInt(group, 16));
}

/** An IPv6 address whose last two groups are written as an IPv4 address, with groups in its place. */
function withoutVersion4(text: string): string | undefined {
  const last = text.slice(text.lastIndexOf(":") + 1);
  if (!last.includes(".")) return text;
  const value = version4Value(last);
  if (value === undefined) return undefined;
  return `${text.slice(0, -last.length)}${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;
}

/** An address as people write it; IPv6 as RFC 5952 has it. */
export function formatAddress(address: Address): string {
  if (isVersion4(address)) return [24, 16, 8, 0].map((shift) => (address[3] >>> shift) & 0xff).join(".");
  const groups = address.flatMap((word) => [word >>> 16, word & 0xffff]).map((group) => group.toString(16));
  const zeros = [
    ...groups
      .map((group) => (group === "0" ? "0" : "x"))
      .join("")
      .matchAll(/00+/g),
  ];
  const longest = zeros.reduce((best, match) => (match[0].length > best.length ? match[0] : best), "");
  if (longest === "") return groups.join(":");
  const start = zeros.find((match) => match[0] === longest)?.index ?? 0;
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + longest.length).join(":")}`;
}

/** An address with a port, as people write it. */
export function formatEndpoint({ address, port }: Endpoint): string {
  return isVersion4(address) ? `${formatAddress(address)}:${port}` : `[${formatAddress(address)}]:${port}`;
}

/** Whether two addresses are the same. */
export function sameAddress(one: Address, other: Address): boolean {
  return one[0] === other[0] && one[1] === other[1] && one[2] === other[2] && one[3] === other[3];
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback(address: Address): boolean {
  return isVersion4(address) ? address[3] >>> 24 === 127 : sameAddress(address, LOOPBACK_6);
}

/** fe80::/10. */
export function isLinkLocal6(address: Address): boolean {
  return address[0] >>> 22 === 0xfe80 >>> 6;
}

/** 224.0.0.0/4 and 255.255.255.255, or ff00::/8. */
export function isMulticast(address: Address): boolean {
  return isVersion4(address)
    ? address[3] >>> 28 >= 0xe && (address[3] >>> 28 === 0xe || address[3] === -1)
    : address[0] >>> 24 === 0xff;
}

/** The network mask of a prefix length of IPv4, as a signed 32-bit number. */
export function version4Mask(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (-1 << (32 - prefixLength)) | 0;
}

/** A number below 256 without leading zeros: inet_aton(3) takes those for octal, others for decimal. */
function isOctet(text: string): boolean {
  return /^(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])$/.test(text);
}

function isGroup(text: string): boolean {
  return /^[\da-f]{1,4}$/i.test(text);
}
