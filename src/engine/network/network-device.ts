import { leadsOutside } from "../../network/configuration.ts";
import { parseHardwareAddress } from "../../network/switch/station.ts";
import { type JoinedNamespace, openTap, removeTap } from "../../network/tap/open-tap.ts";
import { CloneFlag } from "../../sys/clone.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import type { ContainerLink } from "./container-links.ts";

/** A container, as the place of a device. */
export interface DevicePlace {
  /** Of a process in the container's namespaces. */
  readonly pidfd: number;
  /** Whether the container has a user namespace of its own. */
  readonly hasUserNamespace: boolean;
}

function namespacesOf({ pidfd, hasUserNamespace }: DevicePlace): JoinedNamespace[] {
  const type = CloneFlag.NEWNET | (hasUserNamespace ? CloneFlag.NEWUSER : 0);
  return [{ descriptor: pidfd, type }];
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
