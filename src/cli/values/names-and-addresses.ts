import type { AddedHost } from "../../engine/run-options.ts";
import { formatAddress, parseAddress } from "../../network/address.ts";
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

function isHostName(text: string): boolean {
  return text.length <= 253 && /^[\w-]+(\.[\w-]+)*\.?$/.test(text);
}
