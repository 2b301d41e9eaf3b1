import type { PortRange, PublishRequest } from "../../engine/specification/run-options.ts";
import { parseAddress } from "../../network/address.ts";
import type { TransportProtocol } from "../../network/published-port.ts";
import { InvalidValue } from "../invalid-value.ts";

const HIGHEST_PORT = 65_535;

/**
 * Reads the value of `--publish`, in Docker's forms: `80`, `8080:80`, `127.0.0.1:8080:80`, `127.0.0.1::80`,
 * `[::1]:8080:80/udp`, and ranges `8000-8010:80-90` of the same length, or to choose from: `8000-8010:80`.
 * @throws InvalidValue
 */
export function parsePublishOption(text: string): PublishRequest {
  const [, before = "", containerPorts = "", protocolName] = /^(?:(.*):)?([^:/]+)(?:\/(\w+))?$/.exec(text) ?? [];
  const [, addressText = "", hostPorts = ""] = /^(?:(.*):)?([^:\]]*)$/.exec(before) ?? [undefined, before, ""];
  if (containerPorts === "") throw new InvalidValue("expected [[ADDRESS:]PORT:]PORT[/PROTOCOL]");
  const container = { protocol: protocolOf(protocolName), ...portRange(containerPorts) };
  const host = hostPorts === "" || hostPorts === "0" ? undefined : portRange(hostPorts);
  const containerCount = container.last - container.first;
  if (host !== undefined && containerCount > 0 && host.last - host.first !== containerCount) {
    throw new InvalidValue("the ranges of ports are not of the same length");
  }
  return { container, host, address: addressText === "" ? undefined : addressOf(addressText) };
}

/**
 * Reads the value of `--expose`: `80`, `80/udp`, `8000-8010`.
 * @throws InvalidValue
 */
export function parseExposeOption(text: string): PortRange {
  const [ports = "", protocolName, ...rest] = text.split("/");
  if (rest.length > 0) throw new InvalidValue("expected PORT[/PROTOCOL]");
  return { protocol: protocolOf(protocolName), ...portRange(ports) };
}

function protocolOf(name: string | undefined): TransportProtocol {
  const protocol = (name ?? "tcp").toLowerCase();
  if (protocol === "tcp" || protocol === "udp") return protocol;
  throw new InvalidValue(`${protocol} ports cannot be published; the protocol is tcp or udp`);
}

function portRange(text: string): { readonly first: number; readonly last: number } {
  const [, firstText = "", lastText] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const first = Number(firstText);
  const last = Number(lastText ?? firstText);
  if (firstText === "" || first < 1 || last > HIGHEST_PORT) {
    throw new InvalidValue(`${JSON.stringify(text)} is not a port from 1 to ${HIGHEST_PORT} or a range of them`);
  }
  if (first > last) throw new InvalidValue(`the range of ports ${text} is the wrong way round`);
  return { first, last };
}

function addressOf(text: string): PublishRequest["address"] {
  const address = parseAddress(/^\[(.*)\]$/.exec(text)?.[1] ?? text);
  if (address === undefined) throw new InvalidValue(`${JSON.stringify(text)} is not an IP address`);
  return address;
}
