/** The texts of /etc/hosts, /etc/hostname and /etc/resolv.conf in a container. */

const LOCAL_HOSTS = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "ff00::\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];

/** A line of /etc/hosts. */
export interface HostEntry {
  readonly address: string;
  readonly names: readonly string[];
}

/**
 * The text of /etc/hosts for a container with a network of its own; hosts(5).
 * @param entries besides the loopback ones: the container's own addresses and `--add-host`
 */
export function hostsFile(entries: readonly HostEntry[]): string {
  const lines = entries.map(({ address, names }) => `${address}\t${names.join(" ")}`);
  return `${[...LOCAL_HOSTS, ...lines].join("\n")}\n`;
}

/** The names by which a container's own address is known: the full one, if there is a domain, and the short one. */
export function ownNames(hostname: string, domainname: string | undefined): readonly string[] {
  return domainname === undefined || domainname === "" ? [hostname] : [`${hostname}.${domainname}`, hostname];
}

/** The text of /etc/hostname; hostname(5). */
export function hostnameFile(hostname: string): string {
  return `${hostname}\n`;
}

/** What was asked for of resolv.conf(5); empty lists for nothing. */
export interface ResolverSettings {
  readonly servers: readonly string[];
  /** A single `.` for no search list at all. */
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/**
 * The text of /etc/resolv.conf; resolv.conf(5). The search list and options are the host's unless others are given.
 * @param hostText the host's /etc/resolv.conf, empty if missing
 * @param given what takes the place of the host's
 * @param servers the name servers unless some are given: those of the host that can be reached, which in another network
 * those on its loopback cannot, or addresses
 */
export function resolverFile(
  hostText: string,
  given: ResolverSettings,
  servers: "reachable" | "not loopback" | readonly string[],
): string {
  const isUnchanged = given.servers.length + given.search.length + given.options.length === 0;
  if (servers === "reachable" && isUnchanged) return hostText;
  const chosen = given.servers.length > 0 ? given.servers : typeof servers === "string" ? undefined : servers;
  const kept = hostText.split("\n").filter((line) => {
    const [keyword = "", value = ""] = words(line);
    if (keyword === "nameserver") return chosen === undefined && (servers === "reachable" || !isLoopback(value));
    if (keyword === "search" || keyword === "domain") return given.search.length === 0;
    return keyword === "sortlist" || (keyword === "options" && given.options.length === 0);
  });
  const search = given.search.filter((domain) => domain !== ".");
  const lines = [
    ...kept.map((line) => line.trim()),
    ...(chosen ?? []).map((server) => `nameserver ${server}`),
    ...(search.length === 0 ? [] : [`search ${search.join(" ")}`]),
    ...(given.options.length === 0 ? [] : [`options ${given.options.join(" ")}`]),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** resolv.conf(5): spaces and tabs stand between words. */
function words(line: string): readonly string[] {
  return line
    .split("\t")
    .join(" ")
    .split(" ")
    .filter((word) => word !== "");
}

function isLoopback(address: string): boolean {
  const withoutZone = address.split("%")[0];
  return withoutZone === "::1" || address.startsWith("127.") || address.toLowerCase().startsWith("::ffff:127.");
}
