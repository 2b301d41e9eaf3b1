/* The options of networks (`network create --opt`), by Docker's names and Podman's. */
import { BunkerError } from "../../sys/error.ts";

/** What IPv4 demands of every link. */
const SMALLEST_MTU = 68;
const LARGEST_MTU = 65_520;
const MTU_NAMES = ["com.docker.network.driver.mtu", "mtu"];

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
    } else if (name === "isolate") {
      // Networks never reach each other here.
      if (value !== "true" && value !== "strict") throw refusal(object, "networks are always isolated from each other");
    } else {
      throw refusal(object, `the options are ${[...MTU_NAMES, "isolate"].join(", ")}`);
    }
  }
}
