/* The options of containers' places on networks (`driver-opt`), by Docker's names: what their devices are called and how they behave. */
import { BunkerError } from "../../sys/error.ts";

/** The option that names a place's device. */
export const DEVICE_NAME = "com.docker.network.endpoint.ifname";
/** The option that sets parameters of the device, with commas between them and `IFNAME` for its name. */
const PARAMETERS = "com.docker.network.endpoint.sysctls";
const PARAMETER =
  /^net\.(?<version>ipv4|ipv6|mpls)\.(?<kind>conf|neigh)\.IFNAME\.(?<name>[a-z\d_]+)=(?<value>[\x21-\x7e]+)$/;
/** Bytes of a device's name. */
export const LONGEST_DEVICE_NAME = 15;
/** Names that mean something else, as a device's or in the paths of parameters. */
const NO_DEVICES: ReadonlySet<string> = new Set([".", "..", "lo", "all", "default"]);

/** The error for an option that is not to be had. */
export function optionRefusal(object: string, reason: string): BunkerError {
  return new BunkerError({
    code: "invalid_network_option",
    operation: "use the network option",
    object,
    reason,
    exitStatus: 1,
  });
}

/** Whether a device can have a name: dev_valid_name() of the kernel, without what it or others take for patterns. */
export function isDeviceName(text: string): boolean {
  return /^[\w.-]+$/.test(text) && text.length <= LONGEST_DEVICE_NAME && !NO_DEVICES.has(text);
}

/**
 * The kernel's parameters that the options of a place set: files below /proc/sys and their contents.
 * @param device what its device is called
 */
export function deviceParameters(
  options: Readonly<Record<string, string>>,
  device: string,
): (readonly [path: string, value: string])[] {
  const words = options[PARAMETERS]?.split(",") ?? [];
  return words.map((word) => {
    const { version, kind, name, value = "" } = PARAMETER.exec(word)?.groups ?? {};
    return [`/proc/sys/net/${version}/${kind}/${device}/${name}`, value];
  });
}

/**
 * Checks the options of a container's place on a network.
 * @throws BunkerError `invalid_network_option`
 */
export function checkPlaceOptions(options: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(options)) {
    const object = `${name}=${value}`;
    if (name === DEVICE_NAME) {
      if (isDeviceName(value)) continue;
      const form = `a device's name has up to ${LONGEST_DEVICE_NAME} of [a-zA-Z0-9_.-]`;
      throw optionRefusal(object, `${form}, and is not lo, all or default`);
    }
    if (name !== PARAMETERS) {
      throw optionRefusal(object, `the options of a place on a network are ${DEVICE_NAME} and ${PARAMETERS}`);
    }
    const wrong = value.split(",").find((word) => !PARAMETER.test(word));
    if (wrong === undefined) continue;
    throw optionRefusal(object, `${JSON.stringify(wrong)} is not of the form net.ipv4.conf.IFNAME.NAME=VALUE`);
  }
}
