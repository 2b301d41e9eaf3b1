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

/**
 * The text of /etc/resolv.conf for a container with a network of its own: the host's search list and options, and its
 * name servers as far as they can be reached from another network, which servers on the host's loopback cannot;
 * resolv.conf(5). A container in the host's network gets the host's file itself.
 * @param hostText the host's /etc/resolv.conf, empty if missing
 */
export function resolverFile(hostText: string): string {
  const kept = hostText.split("\n").filter((line) => {
    const [keyword, value = ""] = line.trim().split(/\s+/);
    return /^(search|domain|options|sortlist)$/.test(keyword ?? "") || (keyword === "nameserver" && !isLoopback(value));
  });
  return kept.map((line) => `${line.trim()}\n`).join("");
}

function isLoopback(address: string): boolean {
  const withoutZone = address.split("%")[0];
  return withoutZone === "::1" || /^(::ffff:)?127\./i.test(address);
}
