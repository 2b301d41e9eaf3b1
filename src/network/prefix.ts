/* Networks as ranges of addresses: RFC 4632, RFC 4291 section 2.3. */
import { type Address, isVersion4 } from "../sys/internet-socket.ts";
import { formatAddress, parseAddress } from "./address.ts";

/** Addresses with the same first bits. */
export interface Prefix {
  /** The first one. */
  readonly address: Address;
  /** How many bits they have in common: up to 32 for IPv4, up to 128 for IPv6. */
  readonly length: number;
}

/** The bits of an address of its version. */
function bitsOf(address: Address): 32 | 128 {
  return isVersion4(address) ? 32 : 128;
}

/** An address as a number. */
export function addressNumber(address: Address): bigint {
  if (isVersion4(address)) return BigInt(address[3] >>> 0);
  return address.reduce((number, word) => (number << 32n) | BigInt(word >>> 0), 0n);
}

/** The address of a number, of the same IP version as another. */
export function numberedAddress(number: bigint, like: Address): Address {
  const word = (index: number) => Number((number >> BigInt(32 * (3 - index))) & 0xffff_ffffn) | 0;
  return isVersion4(like) ? [0, 0, 0xffff, word(3)] : [word(0), word(1), word(2), word(3)];
}

/** The prefix of a length that an address is in. */
export function prefixOf(address: Address, length: number): Prefix {
  const rest = BigInt(bitsOf(address) - length);
  return { address: numberedAddress((addressNumber(address) >> rest) << rest, address), length };
}

/**
 * Reads `ADDRESS/LENGTH`.
 * @returns undefined for anything else
 */
export function parsePrefix(text: string): Prefix | undefined {
  const [, addressText = "", lengthText = ""] = /^([\da-f.:]+)\/(\d{1,3})$/i.exec(text) ?? [];
  const address = parseAddress(addressText);
  if (address === undefined || Number(lengthText) > bitsOf(address)) return undefined;
  return prefixOf(address, Number(lengthText));
}

/** A prefix as people write it. */
export function formatPrefix({ address, length }: Prefix): string {
  return `${formatAddress(address)}/${length}`;
}

/** The numbers of a prefix's first and last address. */
export function rangeOf({ address, length }: Prefix): { readonly first: bigint; readonly last: bigint } {
  const first = addressNumber(address);
  return { first, last: first + (1n << BigInt(bitsOf(address) - length)) - 1n };
}

/** Whether an address is in a prefix. */
export function contains(prefix: Prefix, address: Address): boolean {
  if (isVersion4(prefix.address) !== isVersion4(address)) return false;
  const { first, last } = rangeOf(prefix);
  const number = addressNumber(address);
  return number >= first && number <= last;
}

/** Whether two prefixes have an address in common. */
export function overlaps(one: Prefix, other: Prefix): boolean {
  return contains(one, other.address) || contains(other, one.address);
}
