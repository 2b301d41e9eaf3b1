/* The options of networks (`network create --opt`), by Docker's names and Podman's. */
import { BunkerError } from "../../sys/error.ts";

/** What IPv4 demands of every link. */
const SMALLEST_MTU = 68;
const LARGEST_MTU = 65_520;
const BRIDGE = "com.docker.network.bridge.";
const HOST_ADDRESS = "what leads outside always has the host's address";
const NO_BRIDGE = "a network has no bridge device on the host";
const MTU_NAMES = ["com.docker.network.driver.mtu", "mtu"];

/** What options of Docker and Podman ask for that is so on every network: the values that say it, and why no other does. */
const ALWAYS: ReadonlyMap<string, { readonly values: readonly string[]; readonly reason: string }> = new Map([
  ["isolate", { values: ["true", "strict"], reason: "networks are always isolated from each other" }],
  [`${BRIDGE}enable_icc`, { values: ["true"], reason: "containers of a network always reach each other" }],
  [`${BRIDGE}enable_ip_masquerade`, { values: ["true"], reason: HOST_ADDRESS }],
  [`${BRIDGE}gateway_mode_ipv4`, { values: ["nat"], reason: HOST_ADDRESS }],
  [`${BRIDGE}gateway_mode_ipv6`, { values: ["nat"], reason: HOST_ADDRESS }],
]);

/** What others ask for that cannot be, and why. */
const IMPOSSIBLE: ReadonlyMap<string, string> = new Map([
  [`${BRIDGE}name`, NO_BRIDGE],
  [`${BRIDGE}trusted_host_interfaces`, NO_BRIDGE],
  [`${BRIDGE}inhibit_ipv4`, NO_BRIDGE],
  [`${BRIDGE}host_binding_ipv4`, "the host's address is a part of --publish ADDRESS:PORT:PORT"],
  ["com.docker.network.host_ipv4", "packets leave by the host's routes, with the addresses that those say"],
  ["com.docker.network.container_iface_prefix", "devices in containers are always called eth0, eth1 and so on"],
]);

function refusal(object: string, reason: string): BunkerError {
  return new BunkerError({
    code: "invalid_network_option",
    operation: "use the network option",
    object,
    reason,
    exitStatus: 1,
  });
}

/** The MTU of a network with these options. */
export function mtuOf(options: Readonly<Record<string, string>>): number {
  const given = MTU_NAMES.map((name) => options[name]).find((text) => text !== undefined);
  return given === undefined ? LARGEST_MTU : Number(given);
}

/**
 * Checks the options of a network that is to be made.
 * @throws BunkerError `invalid_network_option`
 */
export function checkNetworkOptions(options: Readonly<Record<string, string>>, hasIpv6: boolean): void {
  for (const [name, value] of Object.entries(options)) {
    const object = `${name}=${value}`;
    if (MTU_NAMES.includes(name)) {
      const smallest = hasIpv6 ? 1_280 : SMALLEST_MTU;
      const isMtu = /^\d+$/.test(value) && Number(value) >= smallest && Number(value) <= LARGEST_MTU;
      if (!isMtu) throw refusal(object, `the MTU is a number from ${smallest} to ${LARGEST_MTU}`);
      continue;
    }
    const always = ALWAYS.get(name);
    if (always === undefined) {
      throw refusal(object, IMPOSSIBLE.get(name) ?? `the options are ${[...MTU_NAMES, ...ALWAYS.keys()].join(", ")}`);
    }
    if (!always.values.includes(value)) throw refusal(object, always.reason);
  }
}
