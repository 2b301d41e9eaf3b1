/* What the options of `run` and `create` about the network ask for together. */

import { DEFAULT_SLIRP } from "../engine/network/default-slirp.ts";
import { NO_DNS } from "../engine/network/no-dns.ts";
import type { NetworkSettings, RunOptions } from "../engine/specification/run-options.ts";
import type { EgressRules } from "../network/egress.ts";
import { BunkerError } from "../sys/error.ts";
import type { OptionValues } from "./option-table.ts";
import type { runOptionsTable } from "./run-options-table.ts";
import type { NetworkOption } from "./values/network-option.ts";

type RunOptionValues = OptionValues<typeof runOptionsTable>;

/** The options that only this is about. */
type NetworkOptionName =
  | "networks"
  | "ipv4"
  | "ipv6"
  | "hardwareAddress"
  | "networkAliases"
  | "links"
  | "published"
  | "publishAll"
  | "exposed"
  | "dnsServers"
  | "dnsSearch"
  | "dnsOptions"
  | "addedHosts"
  | "allowedHosts"
  | "rate"
  | "delay"
  | "loss";
type NetworkOptionValues = Pick<RunOptionValues, NetworkOptionName>;

function conflict(options: string): BunkerError {
  return new BunkerError({ code: "conflicting_options", operation: `conflicting options: ${options}` });
}

/**
 * Puts the options about the network together.
 * @throws BunkerError `conflicting_options`, in Docker's words
 */
export function networkingOf(
  values: NetworkOptionValues & Pick<RunOptionValues, "hostname">,
): Pick<RunOptions, "network" | "networkSettings"> {
  const {
    networks,
    ipv4,
    ipv6,
    hardwareAddress,
    networkAliases,
    links,
    published,
    publishAll,
    exposed,
    dnsServers,
    dnsSearch,
    dnsOptions,
    addedHosts,
    allowedHosts,
    rate,
    delay,
    loss,
  } = values;
  if (dnsServers.includes(NO_DNS) && dnsServers.length + dnsSearch.length + dnsOptions.length > 1) {
    throw conflict("dns none and other settings of /etc/resolv.conf");
  }
  const settings = { published, publishAll, exposed, dnsServers, dnsSearch, dnsOptions, addedHosts };
  const [first = { kind: "slirp", settings: DEFAULT_SLIRP }, ...more] = networks;
  const isShaped = rate !== undefined || delay !== undefined || loss !== undefined;
  if (first.kind !== "shared" && first.kind !== "slirp") {
    if (allowedHosts.length > 0) throw conflict("allow-host and the network mode");
    if (isShaped) throw conflict("net-rate, net-delay, net-loss and the network mode");
  }
  if (first.kind !== "shared") {
    if (more.length > 0) throw conflict("cannot attach both user-defined and non-user-defined network-modes");
    if (ipv4 !== undefined || ipv6 !== undefined) {
      throw conflict("user specified IP address is supported on user defined networks only");
    }
    if (networkAliases.length > 0) {
      throw conflict("network-scoped alias is supported only for containers in user defined networks");
    }
    if (links.length > 0) throw conflict("links are for containers on user defined networks only");
    if (first.kind === "joined" && first.joined.kind === "container") checkJoined(values, values.hostname);
    if (hardwareAddress !== undefined && first.kind !== "slirp") throw conflict("mac-address and the network mode");
  }
  const networkSettings: NetworkSettings = {
    ...settings,
    shaping: isShaped ? { rate, delay: delay ?? 0, loss: loss ?? 0 } : undefined,
    egress: allowedHosts.length === 0 ? undefined : egressOf(allowedHosts),
    slirp: first.kind === "slirp" ? first.settings : DEFAULT_SLIRP,
    joined: first.kind === "joined" ? first.joined : undefined,
    shared: first.kind === "shared" ? placesOf(first, more, values) : [],
    hardwareAddress: first.kind === "slirp" ? hardwareAddress : undefined,
  };
  return { network: first.kind, networkSettings };
}

/** What belongs to a network cannot be asked for where another container's is joined. */
function checkJoined(values: NetworkOptionValues, hostname: string | undefined): void {
  const { published, publishAll, exposed, dnsServers, dnsSearch, dnsOptions, addedHosts } = values;
  if (hostname !== undefined) throw conflict("hostname and the network mode");
  if (published.length > 0 || publishAll) throw conflict("port publishing and the container type network mode");
  if (exposed.length > 0) throw conflict("port exposing and the container type network mode");
  if (dnsServers.length + dnsSearch.length + dnsOptions.length > 0) throw conflict("dns and the network mode");
  if (addedHosts.length > 0) throw conflict("custom host-to-IP mapping and the network mode");
}

/** Of what may be reached, as JSON, in bytes: it goes to the supervisor in one message, and is looked through for each name. */
const LONGEST_RULES = 60_000;

type SharedOption = Extract<NetworkOption, { kind: "shared" }>;

/** The networks in their order; what has an option of its own is for the first one. */
function placesOf(
  first: SharedOption,
  more: readonly NetworkOption[],
  { ipv4, ipv6, hardwareAddress, networkAliases, links }: NetworkOptionValues,
): NetworkSettings["shared"] {
  const others = more.map((option) => {
    if (option.kind === "shared") return option.place;
    throw conflict("cannot attach both user-defined and non-user-defined network-modes");
  });
  const { place } = first;
  const given = { ipv4, ipv6, hardwareAddress };
  for (const key of ["ipv4", "ipv6", "hardwareAddress"] as const) {
    if (place[key] === undefined || given[key] === undefined) continue;
    const name = { ipv4: "--ip", ipv6: "--ip6", hardwareAddress: "--mac-address" }[key];
    throw conflict(`cannot specify both ${name} and per-network ${name.slice(2)}`);
  }
  return [
    {
      network: place.network,
      ipv4: place.ipv4 ?? ipv4,
      ipv6: place.ipv6 ?? ipv6,
      hardwareAddress: place.hardwareAddress ?? hardwareAddress,
      gatewayPriority: place.gatewayPriority,
      aliases: [...place.aliases, ...networkAliases],
      links: [...links],
      options: place.options,
    },
    ...others,
  ];
}

function egressOf(allowed: NetworkOptionValues["allowedHosts"]): EgressRules {
  const rules = {
    names: allowed.flatMap((host) => ("name" in host ? [host.name] : [])),
    networks: allowed.flatMap((host) => ("network" in host ? [host.network] : [])),
  };
  if (JSON.stringify(rules).length > LONGEST_RULES) {
    throw conflict(`${allowed.length} values of allow-host: networks or domains (*.example.org) would stand for many`);
  }
  return rules;
}
