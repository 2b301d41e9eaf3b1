/* The host as its containers know it: by names, and by an address that leads to it. */

import { parseAddress, sameAddress } from "../../network/address.ts";
import type { NetworkConfiguration } from "../../network/configuration.ts";
import { type Address, isVersion4 } from "../../sys/internet-socket.ts";
import { nodeOperatingSystem } from "../../sys/node-modules.ts";

/** What Docker and Podman call the host. */
export const HOST_NAMES: readonly string[] = ["host.docker.internal", "host.containers.internal"];

/**
 * The address by which a container reaches the host, as it is now: the host's loopback where that is allowed, and
 * otherwise the first of its own addresses, where services listen that are not meant for the host alone.
 * @param configuration of a network of the container's that leads outside
 */
export function hostGateway({ allowHostLoopback, ipv4 }: NetworkConfiguration): Address {
  const reachable = addressesOfHost().find((address) => isVersion4(address) && !sameAddress(address, ipv4.address));
  return allowHostLoopback || reachable === undefined ? ipv4.gateway : reachable;
}

/** The addresses of the host's interfaces, without the loopback. */
function addressesOfHost(): Address[] {
  return Object.values(nodeOperatingSystem().networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => parseAddress(address))
    .filter((address) => address !== undefined);
}
