import { leadsOutside } from "../../network/configuration.ts";
import { parseHardwareAddress } from "../../network/switch/station.ts";
import { type JoinedNamespace, openTap, removeTap } from "../../network/tap/open-tap.ts";
import { CloneFlag } from "../../sys/clone.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import type { ContainerLink } from "./container-links.ts";

/** The namespaces of a container, as the place of a device: each by its own descriptor, or a pidfd of a process in it. */
export interface DevicePlace {
  readonly network: number;
  /** undefined: the container has no user namespace of its own. */
  readonly user: number | undefined;
}

function namespacesOf({ network, user }: DevicePlace): JoinedNamespace[] {
  const joined = { descriptor: network, type: CloneFlag.NEWNET };
  return user === undefined ? [joined] : [{ descriptor: user, type: CloneFlag.NEWUSER }, joined];
}

/**
 * Makes a network device of a container.
 * @returns the file of the device's other side
 * @throws BunkerError
 */
export function openDevice(
  { device, configuration, hardwareAddress, metric, routes, parameters }: ContainerLink,
  place: DevicePlace,
): FileDescriptor {
  const { mtu, ipv4, ipv6 } = configuration;
  const subnets = ipv6 === undefined ? [ipv4] : [ipv4, ipv6];
  return openTap({
    name: device,
    namespaces: namespacesOf(place),
    configuration: {
      mtu,
      hardwareAddress: hardwareAddress === undefined ? undefined : parseHardwareAddress(hardwareAddress),
      addresses: subnets.map(({ address, prefixLength, gateway }) => ({
        address,
        prefixLength,
        gateway: leadsOutside(configuration) ? gateway : undefined,
      })),
      metric,
      routes,
      parameters,
    },
  });
}

/**
 * Removes a network device of a container.
 * @throws BunkerError
 */
export function removeDevice(device: string, place: DevicePlace): void {
  removeTap(device, namespacesOf(place));
}
