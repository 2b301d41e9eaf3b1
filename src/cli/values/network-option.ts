import { DEFAULT_SLIRP } from "../../engine/network/default-slirp.ts";
import { DEVICE_NAME } from "../../engine/network/place-options.ts";
import type { PlaceRequest } from "../../engine/network/take-endpoints.ts";
import type { JoinedNamespace, SlirpSettings } from "../../engine/specification/run-options.ts";
import { nearestName } from "../../nearest-name.ts";
import { parseAddress, version4Mask } from "../../network/address.ts";
import type { OutboundBinding, Subnet } from "../../network/configuration.ts";
import { LONGEST_PREFIX_4, subnet4 } from "../../network/subnets.ts";
import { isVersion4 } from "../../sys/internet-socket.ts";
import { InvalidValue } from "../invalid-value.ts";
import { fieldsOf } from "./fields.ts";
import { parseJoined } from "./namespace-option.ts";
import {
  addressOfVersion,
  parseGatewayPriority,
  parseMacAddress,
  parseNetworkAlias,
  parsePlaceOption,
} from "./network-place.ts";

/** A value of `--network`. */
export type NetworkOption =
  | { readonly kind: "none" | "host" }
  | { readonly kind: "slirp"; readonly settings: SlirpSettings }
  | { readonly kind: "joined"; readonly joined: JoinedNamespace }
  | { readonly kind: "shared"; readonly place: PlaceRequest };

const LARGEST_MTU = 65_520;
/** What IPv6 demands of every link. */
const SMALLEST_MTU = 1_280;

const PLACE_KEYS = ["ip", "ip6", "mac", "mac-address", "gw-priority", "alias", "driver-opt", "interface_name"];
const KEYS = [
  ...["allow_host_loopback", "mtu", "enable_ipv6", "cidr", "outbound_addr", "outbound_addr6", "port_handler"],
] as const;
/** What asks for the default, as here `slirp` is: Docker's names, and Podman's for users without rights. */
const NAMES_OF_SLIRP = ["bridge", "default", "private"];

/**
 * Reads a value of `--network`: `none`, `host`, `container:CONTAINER`, `ns:PATH`, `slirp` (Podman's `slirp4netns`) with
 * Podman's options of slirp4netns, or a network that a user has made, in Docker's form (`name=NET,ip=…`) or Podman's
 * (`NET:ip=…`).
 * @throws InvalidValue
 */
export function parseNetworkOption(text: string): NetworkOption {
  if (text === "none" || text === "host") return { kind: text };
  if (NAMES_OF_SLIRP.includes(text)) return { kind: "slirp", settings: DEFAULT_SLIRP };
  const joined = parseJoined(text);
  if (joined !== undefined) return { kind: "joined", joined };
  if (/^[\w-]+=/.test(text)) return namedPlace(text);
  const [, name = "", words] = /^([^:]*)(?::(.*))?$/.exec(text) ?? [];
  const options = (words ?? "").split(",").filter((word) => word !== "");
  if (name === "slirp" || name === "slirp4netns")
    return { kind: "slirp", settings: options.reduce(withOption, DEFAULT_SLIRP) };
  return { kind: "shared", place: options.reduce(withPlaceOption, placeOn(name)) };
}

function placeOn(network: string): PlaceRequest {
  if (network === "pasta") throw new InvalidValue("Bunker has a network stack of its own instead of pasta: slirp");
  if (["host", "none", "slirp", ...NAMES_OF_SLIRP].includes(network)) {
    throw new InvalidValue(`a place can only be asked for on user-defined networks, not on ${network}`);
  }
  if (!/^[a-zA-Z0-9][\w.-]*$/.test(network)) {
    throw new InvalidValue(
      "expected slirp[:OPTIONS], none, host, container:CONTAINER, ns:PATH or the name of a network",
    );
  }
  return { network, aliases: [] };
}

/** Docker's long form. */
function namedPlace(text: string): NetworkOption {
  const fields = fieldsOf(text);
  const name = fields.find((field) => field.startsWith("name="))?.slice("name=".length);
  if (name === undefined) throw new InvalidValue("the name is missing: name=NETWORK,ip=…");
  const rest = fields.filter((field) => !field.startsWith("name="));
  const plain = rest.length === 0 ? parseNetworkOption(name) : undefined;
  return plain ?? { kind: "shared", place: rest.reduce(withPlaceOption, placeOn(name)) };
}

function withPlaceOption(place: PlaceRequest, word: string): PlaceRequest {
  const [key = "", ...rest] = word.split("=");
  const value = rest.join("=");
  switch (key) {
    case "ip":
      return { ...place, ipv4: addressOfVersion(4)(value) };
    case "ip6":
      return { ...place, ipv6: addressOfVersion(6)(value) };
    case "mac":
    case "mac-address":
      return { ...place, hardwareAddress: parseMacAddress(value) };
    case "gw-priority":
      return { ...place, gatewayPriority: parseGatewayPriority(value) };
    case "alias":
      return { ...place, aliases: [...place.aliases, parseNetworkAlias(value)] };
    case "driver-opt":
      return { ...place, options: { ...place.options, ...Object.fromEntries([parsePlaceOption(value)]) } };
    case "interface_name":
      return { ...place, options: { ...place.options, [DEVICE_NAME]: value } };
    case "link-local-ip":
      throw new InvalidValue("containers have one address of each kind; ip and ip6 choose it");
    default: {
      const nearest = nearestName(key, PLACE_KEYS);
      const question = nearest === undefined ? "" : `; did you mean ${nearest}?`;
      throw new InvalidValue(`a network has no option ${JSON.stringify(key)}${question}`);
    }
  }
}

function withOption(settings: SlirpSettings, word: string): SlirpSettings {
  const [key = "", ...rest] = word.split("=");
  const value = rest.join("=");
  switch (key) {
    case "allow_host_loopback":
      return { ...settings, allowHostLoopback: trueOrFalse(key, value) };
    case "enable_ipv6":
      return { ...settings, ipv6: trueOrFalse(key, value) };
    case "mtu":
      return { ...settings, mtu: mtu(value) };
    case "cidr":
      return { ...settings, subnet: subnet(value) };
    case "outbound_addr":
      return { ...settings, outbound4: outbound(key, value, 4) };
    case "outbound_addr6":
      return { ...settings, outbound6: outbound(key, value, 6) };
    case "port_handler":
      if (value === "slirp4netns") return settings;
      throw new InvalidValue("port_handler is slirp4netns: published ports always show their clients' addresses");
    default: {
      const nearest = nearestName(key, KEYS);
      const question = nearest === undefined ? "" : `; did you mean ${nearest}?`;
      throw new InvalidValue(`slirp has no option ${JSON.stringify(key)}${question}`);
    }
  }
}

function trueOrFalse(key: string, value: string): boolean {
  if (value !== "true" && value !== "false") throw new InvalidValue(`${key} is true or false`);
  return value === "true";
}

function mtu(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < SMALLEST_MTU || number > LARGEST_MTU) {
    throw new InvalidValue(`mtu is a number from ${SMALLEST_MTU} to ${LARGEST_MTU}`);
  }
  return number;
}

function subnet(value: string): Subnet {
  const [, text = "", prefix] = /^([\d.]+)\/(\d+)$/.exec(value) ?? [];
  const network = parseAddress(text);
  const length = Number(prefix);
  if (network === undefined || length < 1 || length > LONGEST_PREFIX_4) {
    throw new InvalidValue(`cidr is an IPv4 network such as 10.0.2.0/24, with a prefix of at most ${LONGEST_PREFIX_4}`);
  }
  return subnet4(network[3] & version4Mask(length), length);
}

function outbound(key: string, value: string, version: 4 | 6): OutboundBinding {
  if (value === "") throw new InvalidValue(`${key} is an address or the name of an interface`);
  const address = parseAddress(value);
  if (address === undefined) return { device: value };
  if (isVersion4(address) !== (version === 4)) throw new InvalidValue(`${key} is an IPv${version} address`);
  return { address };
}
