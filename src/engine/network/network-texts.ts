/*
 * The files of a container that have to do with its network: /etc/hosts and /etc/resolv.conf, for each kind of network.
 */
import { networkInterfaces } from "node:os";
import { formatAddress, LOOPBACK_4, parseAddress, sameAddress } from "../../network/address.ts";
import { type Address, isVersion4 } from "../../sys/internet-socket.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import { type HostEntry, hostsFile, ownNames, resolverFile } from "../network-files.ts";
import type { RunOptions } from "../run-options.ts";
import type { NetworkPlan } from "./network-plan-schema.ts";

/** What Docker and Podman call the host in a container's /etc/hosts. */
const HOST_NAMES = ["host.docker.internal", "host.containers.internal"];

/**
 * The texts of /etc/hosts and /etc/resolv.conf.
 * @param network undefined for none of its own, or the host's
 */
export function networkTexts(
  options: RunOptions,
  network: NetworkPlan | undefined,
  hostname: string,
): { readonly hosts: string; readonly resolvConf: string } {
  const { addedHosts, dnsServers, dnsSearch, dnsOptions } = options.networkSettings;
  const gateway = formatAddress(network === undefined ? LOOPBACK_4 : hostGateway(network, addressesOfHost()));
  const added = addedHosts.map(({ name, address }) => ({
    address: address === "host-gateway" ? gateway : address,
    names: [name],
  }));
  const hostResolver = readIfThere("/etc/resolv.conf") ?? "";
  const given = { servers: dnsServers, search: dnsSearch, options: dnsOptions };
  if (options.network === "host") {
    return {
      hosts: withEntries(readIfThere("/etc/hosts") ?? "", added),
      resolvConf: resolverFile(hostResolver, given, "reachable"),
    };
  }
  if (network === undefined) {
    return { hosts: hostsFile(added), resolvConf: resolverFile(hostResolver, given, "not loopback") };
  }
  const { ipv4, ipv6 } = network.configuration;
  const own = [ipv4.address, ...(ipv6 === undefined ? [] : [ipv6.address])].map((address) => ({
    address: formatAddress(address),
    names: ownNames(hostname, options.domainname),
  }));
  const host = HOST_NAMES.filter((name) => !addedHosts.some((entry) => entry.name === name));
  const servers = [formatAddress(ipv4.dns)];
  return {
    hosts: hostsFile([...added, ...(host.length === 0 ? [] : [{ address: gateway, names: host }]), ...own]),
    resolvConf: resolverFile(hostResolver, given, servers),
  };
}

function withEntries(text: string, entries: readonly HostEntry[]): string {
  const lines = entries.map(({ address, names }) => `${address}\t${names.join(" ")}\n`);
  return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${lines.join("")}`;
}

function addressesOfHost(): Address[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => parseAddress(address))
    .filter((address) => address !== undefined);
}

/**
 * The address by which the container reaches the host: its loopback where that is allowed, and otherwise the first of its
 * own addresses, where services listen that are not meant for the host alone.
 * @param hostAddresses of the host's interfaces, without the loopback
 */
function hostGateway({ configuration }: NetworkPlan, hostAddresses: readonly Address[]): Address {
  const { allowHostLoopback, ipv4 } = configuration;
  const reachable = hostAddresses.find((address) => isVersion4(address) && !sameAddress(address, ipv4.address));
  return allowHostLoopback || reachable === undefined ? ipv4.gateway : reachable;
}
