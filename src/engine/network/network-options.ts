/* The options of networks (`network create --opt`), by Docker's names and Podman's. */
import { parseAddress } from "../../network/address.ts";
import { type Address, isVersion4 } from "../../sys/internet-socket.ts";
import { isDeviceName, LONGEST_DEVICE_NAME, optionRefusal } from "./place-options.ts";

type Options = Readonly<Record<string, string>>;

/** What IPv4 demands of every link, and IPv6. */
const SMALLEST_MTU = 68;
const SMALLEST_MTU_6 = 1_280;
const LARGEST_MTU = 65_520;
/** Digits of a device's number, for which its prefix leaves room. */
const LONGEST_NUMBER = 3;
const LONGEST_PREFIX = LONGEST_DEVICE_NAME - LONGEST_NUMBER;
const BRIDGE = "com.docker.network.bridge.";
const HOST_ADDRESS = "what leads outside always has the host's address";
const NO_BRIDGE = "a network has no bridge device on the host";
const MTU_NAMES = ["com.docker.network.driver.mtu", "mtu"];
const DEVICE_PREFIX = "com.docker.network.container_iface_prefix";
const HOST_BINDING = `${BRIDGE}host_binding_ipv4`;
const REACH = `${BRIDGE}enable_icc`;
const NO_DEFAULT_ROUTE = "no_default_route";

/** What can be chosen: why a value cannot be, or undefined when it can. */
const CHOICES: ReadonlyMap<string, (value: string, hasIpv6: boolean) => string | undefined> = new Map([
  ...MTU_NAMES.map((name) => [name, mtuFault] as const),
  [REACH, trueOrFalse],
  [HOST_BINDING, addressFault],
  [DEVICE_PREFIX, prefixFault],
  [NO_DEFAULT_ROUTE, trueOrFalse],
]);

/** What options of Docker and Podman ask for that is so on every network: the values that say it, and why no other does. */
const ALWAYS: ReadonlyMap<string, { readonly values: readonly string[]; readonly reason: string }> = new Map([
  ["isolate", { values: ["true", "strict"], reason: "networks are always isolated from each other" }],
  [`${BRIDGE}enable_ip_masquerade`, { values: ["true"], reason: HOST_ADDRESS }],
  [`${BRIDGE}gateway_mode_ipv4`, { values: ["nat"], reason: HOST_ADDRESS }],
  [`${BRIDGE}gateway_mode_ipv6`, { values: ["nat"], reason: HOST_ADDRESS }],
]);

/** What others ask for that cannot be, and why. */
const IMPOSSIBLE: ReadonlyMap<string, string> = new Map([
  [`${BRIDGE}name`, NO_BRIDGE],
  [`${BRIDGE}trusted_host_interfaces`, NO_BRIDGE],
  [`${BRIDGE}inhibit_ipv4`, NO_BRIDGE],
  ["com.docker.network.host_ipv4", "packets leave by the host's routes, with the addresses that those say"],
  ["metric", "which network leads outside is said by gw-priority of a container's place on it"],
]);

function mtuFault(value: string, hasIpv6: boolean): string | undefined {
  const smallest = hasIpv6 ? SMALLEST_MTU_6 : SMALLEST_MTU;
  const isMtu = /^\d+$/.test(value) && Number(value) >= smallest && Number(value) <= LARGEST_MTU;
  return isMtu ? undefined : `the MTU is a number from ${smallest} to ${LARGEST_MTU}`;
}

function trueOrFalse(value: string): string | undefined {
  return value === "true" || value === "false" ? undefined : "expected true or false";
}

function addressFault(value: string): string | undefined {
  const address = parseAddress(value);
  return address !== undefined && isVersion4(address) ? undefined : "expected an IPv4 address of the host";
}

function prefixFault(value: string): string | undefined {
  const isPrefix = value.length <= LONGEST_PREFIX && isDeviceName(`${value}0`) && /[^\d]$/.test(value);
  return isPrefix ? undefined : `expected up to ${LONGEST_PREFIX} of [a-zA-Z0-9_.-], the last one not a digit`;
}

/** The MTU of a network with these options. */
export function mtuOf(options: Options): number {
  const given = MTU_NAMES.map((name) => options[name]).find((text) => text !== undefined);
  return given === undefined ? LARGEST_MTU : Number(given);
}

/** Whether containers on a network with these options reach each other. */
export function reachEachOther(options: Options): boolean {
  return options[REACH] !== "false";
}

/** Whether a network with these options may be the one by which containers reach what is outside. */
export function hasDefaultRoute(options: Options): boolean {
  return options[NO_DEFAULT_ROUTE] !== "true";
}

/** Where ports are published by containers whose network has these options; undefined for all of the host's addresses. */
export function hostBindingOf(options: Options): Address | undefined {
  return parseAddress(options[HOST_BINDING] ?? "");
}

/** What stands before the numbers of containers' devices on a network with these options. */
export function devicePrefixOf(options: Options): string {
  return options[DEVICE_PREFIX] ?? "eth";
}

/**
 * Checks the options of a network that is to be made.
 * @throws BunkerError `invalid_network_option`
 */
export function checkNetworkOptions(options: Options, hasIpv6: boolean): void {
  for (const [name, value] of Object.entries(options)) {
    const object = `${name}=${value}`;
    const choice = CHOICES.get(name);
    const always = ALWAYS.get(name);
    if (choice === undefined && always === undefined) {
      const names = [...CHOICES.keys(), ...ALWAYS.keys()].join(", ");
      throw optionRefusal(object, IMPOSSIBLE.get(name) ?? `the options are ${names}`);
    }
    const fault = choice?.(value, hasIpv6) ?? (always?.values.includes(value) === false ? always.reason : undefined);
    if (fault !== undefined) throw optionRefusal(object, fault);
  }
}
