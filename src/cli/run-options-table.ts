import { resolvePath } from "../sys/resolve-path.ts";
import { lifeOptions } from "./container/life-options.ts";
import { disableContentTrustOption } from "./image/content-trust-option.ts";
import { flag, list, single, singleOrEmpty } from "./option.ts";
import type { OptionTable } from "./option-table.ts";
import { podmanRunOptions } from "./podman-run-options.ts";
import { resourceOptions } from "./resource-options.ts";
import { parseCapabilityOption } from "./values/capability-option.ts";
import { parseCgroupParent } from "./values/cgroup-parent-option.ts";
import { oneOf } from "./values/choice.ts";
import { parseDeviceOption } from "./values/device-option.ts";
import { parseDeviceRule } from "./values/device-rule-option.ts";
import { parseEnvironmentOption } from "./values/environment-option.ts";
import { parseMountOption } from "./values/mount-option.ts";
import {
  parseAddedHost,
  parseAllowedHost,
  parseDnsServer,
  parseResolverOption,
  parseSearchDomain,
} from "./values/names-and-addresses.ts";
import { namespaceModeParser } from "./values/namespace-option.ts";
import { parseNetworkOption } from "./values/network-option.ts";
import { addressOfVersion, parseLink, parseMacAddress, parseNetworkAlias } from "./values/network-place.ts";
import { integerBetween, parseBytes } from "./values/numbers.ts";
import { parseContainerPath } from "./values/paths.ts";
import { parseExposeOption, parsePublishOption } from "./values/publish-option.ts";
import { parseSecurityOption } from "./values/security-option.ts";
import { parseDelay, parseLoss, parseRate } from "./values/shaping-options.ts";
import { parseTmpfsOption } from "./values/tmpfs-option.ts";
import { parseUlimitOption } from "./values/ulimit-option.ts";
import { parseUsernsOption } from "./values/userns-option.ts";
import { parseVolumeOption } from "./values/volume-option.ts";
import { parseVolumesFrom } from "./values/volumes-from.ts";
import {
  parseContainerName,
  parseGroup,
  parseHostname,
  parsePlatform,
  parseSysctl,
  parseUser,
} from "./values/words.ts";

const asWritten = (text: string) => text;

/** The options of `bunker run` and `create`, with Docker's meaning (and Podman's where Docker has no such option). */
export const runOptionsTable = {
  ...lifeOptions,
  ...podmanRunOptions,
  interactive: flag({ name: "interactive", short: "i", description: "Keep standard input open" }),
  terminal: flag({ name: "tty", short: "t", description: "Give the container a terminal" }),
  pull: single({
    name: "pull",
    valueName: "always|missing|newer|never",
    description: "When to ask the registry for the image",
    parse: oneOf("always", "missing", "newer", "never"),
    initial: "missing",
    initialText: "missing",
  }),
  quiet: flag({ name: "quiet", short: "q", description: "Do not show how the image is pulled" }),
  environment: list({
    name: "env",
    short: "e",
    valueName: "NAME[=VALUE]",
    description: "Set an environment variable, or pass on the caller's",
    parse: parseEnvironmentOption,
  }),
  environmentFiles: list({
    name: "env-file",
    valueName: "FILE",
    description: "Read environment variables from a file",
    parse: asWritten,
  }),
  volumes: list({
    name: "volume",
    short: "v",
    valueName: "[SOURCE:]DESTINATION[:OPTIONS]",
    description: "Mount a volume, or a file or directory of the host",
    parse: parseVolumeOption,
  }),
  volumesFrom: list({
    name: "volumes-from",
    valueName: "CONTAINER[:ro|rw]",
    description: "Mount what another container has mounted",
    parse: parseVolumesFrom,
  }),
  mounts: list({
    name: "mount",
    valueName: "type=TYPE[,KEY=VALUE]",
    description: "Make a mount of type volume, bind, tmpfs or image",
    parse: parseMountOption,
  }),
  tmpfsMounts: list({
    name: "tmpfs",
    valueName: "DESTINATION[:OPTIONS]",
    description: "Mount an empty file system in memory",
    parse: parseTmpfsOption,
  }),
  workingDirectory: singleOrEmpty({
    name: "workdir",
    short: "w",
    valueName: "DIRECTORY",
    description: "Working directory in the container",
    parse: parseContainerPath,
  }),
  user: singleOrEmpty({
    name: "user",
    short: "u",
    valueName: "USER[:GROUP]",
    description: "User and group of the process, names or numbers",
    parse: parseUser,
  }),
  additionalGroups: list({
    name: "group-add",
    valueName: "GROUP",
    description: "Add a supplementary group; keep-groups keeps the caller's",
    parse: parseGroup,
  }),
  hostname: singleOrEmpty({
    name: "hostname",
    short: "h",
    valueName: "NAME",
    description: "Host name in the container",
    parse: parseHostname,
  }),
  domainname: singleOrEmpty({
    name: "domainname",
    valueName: "NAME",
    description: "NIS domain name in the container",
    parse: parseHostname,
  }),
  readOnly: flag({ name: "read-only", description: "Make the root file system read-only" }),
  remove: flag({ name: "rm", description: "Remove the container when it exits" }),
  name: singleOrEmpty({
    name: "name",
    valueName: "NAME",
    description: "Name of the container",
    parse: parseContainerName,
  }),
  entrypoint: single({
    name: "entrypoint",
    valueName: "COMMAND",
    description: "Use instead of the image's entry point",
    parse: asWritten,
  }),
  init: flag({ name: "init", description: "Run an init in the container that forwards signals and reaps processes" }),
  capabilitiesAdded: list({
    name: "cap-add",
    valueName: "CAPABILITY",
    description: "Add a Linux capability, or ALL",
    parse: parseCapabilityOption,
  }),
  capabilitiesDropped: list({
    name: "cap-drop",
    valueName: "CAPABILITY",
    description: "Drop a Linux capability, or ALL",
    parse: parseCapabilityOption,
  }),
  security: list({
    name: "security-opt",
    valueName: "KIND=VALUE",
    description: "Set seccomp, no-new-privileges, apparmor, label, mask, unmask or systempaths",
    parse: parseSecurityOption,
  }),
  privileged: flag({ name: "privileged", description: "Give all capabilities and devices that the caller has" }),
  pidNamespace: singleOrEmpty({
    name: "pid",
    valueName: "private|host|container:NAME",
    description: "PID namespace: its own, the host's, or another container's; or ns:PATH",
    parse: namespaceModeParser("private", "host"),
    initial: "private",
    initialText: "private",
  }),
  ipcNamespace: singleOrEmpty({
    name: "ipc",
    valueName: "private|shareable|none|host|container:NAME",
    description: "IPC namespace: its own, one that others may join, without /dev/shm, or another's; or ns:PATH",
    parse: namespaceModeParser("private", "shareable", "none", "host"),
    initial: "private",
    initialText: "private",
  }),
  utsNamespace: singleOrEmpty({
    name: "uts",
    valueName: "private|host|container:NAME",
    description: "UTS namespace, which has the host name; or ns:PATH",
    parse: namespaceModeParser("private", "host"),
    initial: "private",
    initialText: "private",
  }),
  cgroupNamespace: singleOrEmpty({
    name: "cgroupns",
    valueName: "private|host|container:NAME",
    description: "Cgroup namespace; or ns:PATH",
    parse: namespaceModeParser("private", "host"),
    initial: "private",
    initialText: "private",
  }),
  cgroups: single({
    name: "cgroups",
    valueName: "enabled|disabled|no-conmon|split",
    description: "Whether it gets a cgroup of its own, with its supervisor or without; split divides the caller's",
    parse: oneOf("enabled", "disabled", "no-conmon", "split"),
    initial: "enabled",
    initialText: "enabled where there is one to be had",
  }),
  systemd: single({
    name: "systemd",
    valueName: "true|false|always",
    description: "Whether its first process gets what systemd expects; true for a command that is an init",
    parse: oneOf("true", "false", "always"),
    initial: "true",
    initialText: "true",
  }),
  cgroupParent: singleOrEmpty({
    name: "cgroup-parent",
    valueName: "SLICE|PATH",
    description: "The slice of systemd's, or else the cgroup, that its own is below",
    parse: parseCgroupParent,
  }),
  userNamespace: singleOrEmpty({
    name: "userns",
    valueName: "host|keep-id[:uid=UID,gid=GID]|container:NAME",
    description: "User namespace; keep-id maps the caller to the same ID; or ns:PATH",
    parse: parseUsernsOption,
    initial: { kind: "default" },
  }),
  networks: list({
    name: "network",
    aliases: ["net"],
    valueName: "NETWORK[:OPTIONS]|slirp[:OPTIONS]|none|host|container:CONTAINER|ns:PATH",
    description: "Networks that users have made, or one of its own, none, or one that is there; slirp without it",
    parse: parseNetworkOption,
  }),
  ipv4: singleOrEmpty({
    name: "ip",
    valueName: "ADDRESS",
    description: "IPv4 address on the network",
    parse: addressOfVersion(4),
  }),
  ipv6: singleOrEmpty({
    name: "ip6",
    valueName: "ADDRESS",
    description: "IPv6 address on the network",
    parse: addressOfVersion(6),
  }),
  hardwareAddress: singleOrEmpty({
    name: "mac-address",
    valueName: "ADDRESS",
    description: "Hardware address of the network device",
    parse: parseMacAddress,
  }),
  networkAliases: list({
    name: "network-alias",
    aliases: ["net-alias"],
    valueName: "NAME",
    description: "A further name on the network",
    parse: parseNetworkAlias,
  }),
  links: list({
    name: "link",
    valueName: "CONTAINER[:ALIAS]",
    description: "A further name of another container on the network, which only this one knows",
    parse: parseLink,
  }),
  published: list({
    name: "publish",
    short: "p",
    valueName: "[[ADDRESS:]PORT:]PORT[/PROTOCOL]",
    description: "Let a port of the host, or a range, lead to the container's",
    parse: parsePublishOption,
  }),
  publishAll: flag({
    name: "publish-all",
    short: "P",
    description: "Let a free port of the host lead to each port that the image exposes",
  }),
  exposed: list({
    name: "expose",
    valueName: "PORT[/PROTOCOL]",
    description: "Expose a port, or a range, as the image could",
    parse: parseExposeOption,
  }),
  dnsServers: list({
    name: "dns",
    valueName: "ADDRESS",
    description: "Ask this resolver instead of the host's; none leaves the image's /etc/resolv.conf as it is",
    parse: parseDnsServer,
  }),
  dnsSearch: list({
    name: "dns-search",
    valueName: "DOMAIN",
    description: "Look names up in this domain instead of the host's, or in none: .",
    parse: parseSearchDomain,
  }),
  dnsOptions: list({
    name: "dns-option",
    aliases: ["dns-opt"],
    valueName: "OPTION",
    description: "Set an option of resolv.conf instead of the host's",
    parse: parseResolverOption,
  }),
  addedHosts: list({
    name: "add-host",
    valueName: "NAME:ADDRESS",
    description: "Add a name to /etc/hosts; host-gateway as address is the host",
    parse: parseAddedHost,
  }),
  allowedHosts: list({
    name: "allow-host",
    valueName: "NAME|*.DOMAIN|NETWORK",
    description: "Reach nothing outside but this host, names below a domain, or an address or network",
    parse: parseAllowedHost,
  }),
  rate: single({
    name: "net-rate",
    valueName: "RATE",
    description: "Let so much through in each direction and second: 10mbit, or bytes: 1m",
    parse: parseRate,
  }),
  delay: single({
    name: "net-delay",
    valueName: "DURATION",
    description: "Hold what the container sends back for a while",
    parse: parseDelay,
  }),
  loss: single({
    name: "net-loss",
    valueName: "PERCENT",
    description: "Lose such a part of what the container sends",
    parse: parseLoss,
  }),
  sharedMemorySize: single({
    name: "shm-size",
    valueName: "BYTES",
    description: "Size of /dev/shm",
    parse: parseBytes,
    initial: undefined,
    initialText: "64m",
  }),
  resourceLimits: list({
    name: "ulimit",
    valueName: "NAME=SOFT[:HARD]",
    description: "Set a resource limit",
    parse: parseUlimitOption,
  }),
  sysctls: list({
    name: "sysctl",
    valueName: "NAME=VALUE",
    description: "Set a kernel parameter of the container's namespaces",
    parse: parseSysctl,
  }),
  ...resourceOptions,
  oomScoreAdjustment: single({
    name: "oom-score-adj",
    valueName: "NUMBER",
    description: "How readily the kernel kills it when memory is short, -1000 to 1000",
    parse: integerBetween(-1000, 1000),
  }),
  devices: list({
    name: "device",
    valueName: "SOURCE[:DESTINATION][:rwm]",
    description: "Give it a device of the host, or vendor.com/class=name by its CDI specification",
    parse: parseDeviceOption,
  }),
  deviceDirectories: list({
    name: "cdi-spec-dir",
    valueName: "DIRECTORY",
    description: "Where CDI specifications are (/etc/cdi, /var/run/cdi)",
    parse: (text) => resolvePath(text),
  }),
  gpus: list({
    name: "gpus",
    valueName: "all|COUNT|device=ID",
    description: "Give it GPUs of NVIDIA's",
    parse: asWritten,
  }),
  secrets: list({
    name: "secret",
    valueName: "NAME[,type=mount|env,target=,uid=,gid=,mode=]",
    description: "Give it a secret",
    parse: asWritten,
  }),
  deviceRules: list({
    name: "device-cgroup-rule",
    valueName: "RULE",
    description: "Permit devices by their numbers: 'c 42:* rmw'; only for root's containers",
    parse: parseDeviceRule,
  }),
  platform: singleOrEmpty({
    name: "platform",
    valueName: "OS/ARCHITECTURE[/VARIANT]",
    description: "Platform to choose from an image for several",
    parse: parsePlatform,
  }),
  rootfs: flag({ name: "rootfs", description: "Take IMAGE as a directory; DIRECTORY:O leaves it unchanged" }),
  volumeDriver: single({
    name: "volume-driver",
    valueName: "local",
    description: "What keeps the volumes that are made for it",
    parse: oneOf("local"),
    initial: "local",
    initialText: "local",
  }),
  disableContentTrust: disableContentTrustOption,
  debugLaunch: flag({
    name: "debug-launch",
    description: "Print what the container's first process does until its exec",
  }),
} as const satisfies OptionTable;
