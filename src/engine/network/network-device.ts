import { openTap } from "../../network/tap/open-tap.ts";
import { CloneFlag } from "../../sys/clone.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import type { NetworkPlan } from "./network-plan-schema.ts";

const DEVICE_NAME = "eth0";

/**
 * Makes the container's network device.
 * @param pidfd of a process in the container's namespaces
 * @param hasUserNamespace whether the container has a user namespace of its own
 * @returns the file of the device's other side
 * @throws BunkerError
 */
export function openDevice({ configuration }: NetworkPlan, pidfd: number, hasUserNamespace: boolean): FileDescriptor {
  const { mtu, ipv4, ipv6 } = configuration;
  const type = CloneFlag.NEWNET | (hasUserNamespace ? CloneFlag.NEWUSER : 0);
  return openTap({
    name: DEVICE_NAME,
    namespaces: [{ descriptor: pidfd, type }],
    configuration: { mtu, hardwareAddress: undefined, addresses: ipv6 === undefined ? [ipv4] : [ipv4, ipv6] },
  });
}
