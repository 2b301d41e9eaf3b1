import { NO_DNS } from "../../engine/network/no-dns.ts";
import type { AddedHost } from "../../engine/specification/run-options.ts";
import { formatAddress, parseAddress } from "../../network/address.ts";
import { type Prefix, parsePrefix, prefixOf } from "../../network/prefix.ts";
import { type Address, isVersion4 } from "../../sys/internet-socket.ts";
import { InvalidValue } from "../invalid-value.ts";

/**
 * Reads an IP address.
 * @returns it in its usual form
 * @throws InvalidValue
 */
export function parseIpAddress(text: string): string {
  const address = parseAddress(text);
  if (address === undefined) throw new InvalidValue("expected an IP address");
  return formatAddress(address);
}

/**
 * Reads IP addresses with commas between them.
 * @throws InvalidValue
 */
export function parseAddresses(text: string): Address[] {
  return text.split(",").map((word) => {
    const address = parseAddress(word);
    if (address === undefined) throw new InvalidValue("expected IP addresses, with commas between them");
    return address;
  });
}

/**
 * Reads the value of `--dns`: an address, or Podman's `none` for the image's own /etc/resolv.conf.
 * @throws InvalidValue
 */
export function parseDnsServer(text: string): string {
  return text === NO_DNS ? text : parseIpAddress(text);
}

/**
 * Reads the value of `--dns-search`: a domain, or `.`.
 * @throws InvalidValue
 */
export function parseSearchDomain(text: string): string {
  if (text === "." || isHostName(text)) return text;
  throw new InvalidValue("expected a domain, or . for none");
}

/**
 * Reads the value of `--dns-option`, one word of resolv.conf(5).
 * @throws InvalidValue
 */
export function parseResolverOption(text: string): string {
  if (/^[\w:.-]+$/.test(text)) return text;
  throw new InvalidValue("expected an option of resolv.conf, such as ndots:2");
}

/**
 * Reads the value of `--add-host`: `NAME:ADDRESS` or `NAME=ADDRESS`, the address in brackets or not.
 * @throws InvalidValue
 */
export function parseAddedHost(text: string): AddedHost {
  const [, name = "", value = ""] = /^([^:=]+)[:=](.*)$/.exec(text) ?? [];
  if (!isHostName(name)) throw new InvalidValue("expected NAME:ADDRESS");
  if (value === "host-gateway") return { name, address: value };
  const address = parseAddress(/^\[(.*)\]$/.exec(value)?.[1] ?? value);
  if (address === undefined) throw new InvalidValue(`${JSON.stringify(value)} is not an IP address or host-gateway`);
  return { name, address: formatAddress(address) };
}

/** A value of `--allow-host`. */
export type AllowedHost = { readonly name: string } | { readonly network: Prefix };

/**
 * Reads the value of `--allow-host`: a host's name, `*.DOMAIN`, an address or `ADDRESS/LENGTH`.
 * @throws InvalidValue
 */
export function parseAllowedHost(text: string): AllowedHost {
  const address = parseAddress(text);
  const network = address === undefined ? parsePrefix(text) : prefixOf(address, isVersion4(address) ? 32 : 128);
  if (network !== undefined) return { network };
  const name = text.toLowerCase().replace(/\.$/, "");
  if (!isHostName(name.replace(/^\*\./, ""))) throw new InvalidValue("expected a host's name, *.DOMAIN, or a network");
  return { name };
}

function isHostName(text: string): boolean {
  return text.length <= 253 && /^[\w-]+(\.[\w-]+)*\.?$/.test(text);
}
