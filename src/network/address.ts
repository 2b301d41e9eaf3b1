/*
 * Internet addresses as people write them, and as sets.
 */
import { isIPv4, isIPv6 } from "node:net";
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
 * Reads an IPv4 or IPv6 address without a zone.
 * @returns undefined for anything else
 */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return version4Address(text.split(".").reduce((value, part) => (value << 8) | Number(part), 0));
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const groups = groupsOf(text);
  const word = (index: number) => ((groups[2 * index] ?? 0) << 16) | (groups[2 * index + 1] ?? 0);
  return [word(0), word(1), word(2), word(3)];
}

/** The eight 16-bit groups of an IPv6 address that is known to be well-formed. */
function groupsOf(text: string): number[] {
  const hexadecimal = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = "", tail] = hexadecimal.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
  const before = groups(head);
  const after = groups(tail ?? "");
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
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
