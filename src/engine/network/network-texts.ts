/*
 * The files of a container that have to do with its network: /etc/hosts and /etc/resolv.conf, for each kind of network.
 */
import { formatAddress, LOOPBACK_4 } from "../../network/address.ts";
import { leadsOutside, type NetworkConfiguration } from "../../network/configuration.ts";
import type { Address } from "../../sys/internet-socket.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import type { RunOptions } from "../specification/run-options.ts";
import type { ContainerLink } from "./container-links.ts";
import { HOST_NAMES, hostGateway } from "./host-gateway.ts";
import { type HostEntry, hostsFile, ownNames, resolverFile } from "./network-files.ts";
import { inRouteOrder } from "./route-order.ts";

/** What the texts depend on of a container's networks. */
export interface NamedNetworks {
  /** The container's own, in their order. */
  readonly addresses: readonly Address[];
  /** By which the host is reached; undefined when it is not. */
  readonly outward: NetworkConfiguration | undefined;
  /** Where resolvers answer that know more than those of the host; none for those. */
  readonly resolvers: readonly Address[];
  /** Whether those know names without dots, which are not to be looked for in the host's domains first. */
  readonly hasShortNames: boolean;
}

/** What the texts depend on of a container's devices. */
export function namedNetworks(
  links: readonly Pick<ContainerLink, "configuration" | "membership" | "metric">[],
): NamedNetworks {
  const configurations = links.map(({ configuration }) => configuration);
  return {
    addresses: configurations.flatMap(({ ipv4, ipv6 }) =>
      ipv6 === undefined ? [ipv4.address] : [ipv4.address, ipv6.address],
    ),
    outward: inRouteOrder(links).find(({ configuration }) => leadsOutside(configuration))?.configuration,
    // Each of them knows the names of all.
    resolvers: configurations
      .filter(({ answerDns }) => answerDns)
      .map(({ ipv4 }) => ipv4.dns)
      .slice(0, 1),
    hasShortNames: links.some(({ membership }) => membership !== undefined),
  };
}

/**
 * The texts of /etc/hosts and /etc/resolv.conf.
 * @param networks undefined where its network is none of Bunker's
 */
export function networkTexts(
  options: RunOptions,
  networks: NamedNetworks | undefined,
  hostname: string,
): { readonly hosts: string; readonly resolvConf: string } {
  const { addedHosts, dnsServers, dnsSearch, dnsOptions } = options.networkSettings;
  const outward = networks?.outward;
  const gateway = formatAddress(outward === undefined ? LOOPBACK_4 : hostGateway(outward));
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
  if (networks === undefined) {
    return { hosts: hostsFile(added), resolvConf: resolverFile(hostResolver, given, "not loopback") };
  }
  const own = networks.addresses.map((address) => ({
    address: formatAddress(address),
    names: ownNames(hostname, options.domainname),
  }));
  const host = HOST_NAMES.filter((name) => !addedHosts.some((entry) => entry.name === name));
  const hasHost = outward !== undefined && host.length > 0;
  const servers = networks.resolvers.map(formatAddress);
  // Those that were given are asked by ours.
  const isOurs = networks.hasShortNames && servers.length > 0;
  const shown = isOurs ? { ...given, servers: [], options: dnsOptions.length > 0 ? dnsOptions : ["ndots:0"] } : given;
  return {
    hosts: hostsFile([...added, ...(hasHost ? [{ address: gateway, names: host }] : []), ...own]),
    resolvConf: resolverFile(hostResolver, shown, servers.length > 0 ? servers : "not loopback"),
  };
}

/**
 * Brings the texts of a container up to date whose networks have changed, and leaves what else is in them.
 * @param before and `after`: its networks
 * @param ownLine the names of the container's own lines of /etc/hosts
 * @param isMember whether its resolvers are those of users' networks alone
 */
export function changedTexts(
  { hosts, resolvConf }: { readonly hosts: string; readonly resolvConf: string },
  { before, after }: { readonly before: NamedNetworks; readonly after: NamedNetworks },
  ownLine: string,
  isMember: boolean,
): { readonly hosts: string; readonly resolvConf: string } {
  const had = new Set(before.addresses.map(formatAddress));
  const isOwn = (line: string) => had.has(line.split(/\s+/)[0] ?? "");
  const lines = hosts.split("\n").filter((line) => line !== "" && !isOwn(line));
  const own = after.addresses.map((address) => `${formatAddress(address)}\t${ownLine}`);
  const changed = { hosts: [...lines, ...own, ""].join("\n"), resolvConf };
  const [resolver] = after.resolvers;
  if (!isMember || resolver === undefined) return changed;
  const others = resolvConf.split("\n").filter((line) => line !== "" && !/^nameserver\s/.test(line));
  return { ...changed, resolvConf: [...others, `nameserver ${formatAddress(resolver)}`, ""].join("\n") };
}

function withEntries(text: string, entries: readonly HostEntry[]): string {
  const lines = entries.map(({ address, names }) => `${address}\t${names.join(" ")}\n`);
  return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${lines.join("")}`;
}
