/* The options of `bunker build` that are about the containers in which commands run: those of `bunker run`. */
import type { ContainerOptions } from "../../../build/run/run-configuration.ts";
import type { BindMountRequest } from "../../../engine/specification/run-options.ts";
import { checkLabels } from "../../../engine/volumes/check-labels.ts";
import { BunkerError } from "../../../sys/error.ts";
import { InvalidValue } from "../../invalid-value.ts";
import { flag, list, single } from "../../option.ts";
import type { OptionValues } from "../../option-table.ts";
import { resourceOptions, resourcesOf } from "../../resource-options.ts";
import { parseCapabilityOption } from "../../values/capability-option.ts";
import { parseCgroupParent } from "../../values/cgroup-parent-option.ts";
import {
  parseAddedHost,
  parseIpAddress,
  parseResolverOption,
  parseSearchDomain,
} from "../../values/names-and-addresses.ts";
import { parseBytes } from "../../values/numbers.ts";
import { parseSecurityOption } from "../../values/security-option.ts";
import { securityOptionsOf } from "../../values/security-options.ts";
import { parseUlimitOption } from "../../values/ulimit-option.ts";
import { parseVolumeOption } from "../../values/volume-option.ts";
import { parseGroup } from "../../values/words.ts";

export const containerOptions = {
  additionalGroups: list({
    name: "group-add",
    valueName: "GROUP",
    description: "Add a supplementary group to those of commands",
    parse: parseGroup,
  }),
  addedHosts: list({
    name: "add-host",
    valueName: "NAME:ADDRESS",
    description: "Add a line to /etc/hosts while commands run",
    parse: parseAddedHost,
  }),
  capabilitiesAdded: list({
    name: "cap-add",
    valueName: "CAPABILITY",
    description: "Add a Linux capability to those of commands, or ALL",
    parse: parseCapabilityOption,
  }),
  capabilitiesDropped: list({
    name: "cap-drop",
    valueName: "CAPABILITY",
    description: "Drop a Linux capability of commands, or ALL",
    parse: parseCapabilityOption,
  }),
  cgroupParent: single({
    name: "cgroup-parent",
    valueName: "SLICE|PATH",
    description: "The slice of systemd's, or else the cgroup, that those of commands are below",
    parse: parseCgroupParent,
  }),
  dnsServers: list({
    name: "dns",
    valueName: "ADDRESS",
    description: "While commands run, ask this resolver instead of the host's",
    parse: parseIpAddress,
  }),
  dnsOptions: list({
    name: "dns-option",
    valueName: "OPTION",
    description: "While commands run, set an option of resolv.conf",
    parse: parseResolverOption,
  }),
  dnsSearch: list({
    name: "dns-search",
    valueName: "DOMAIN",
    description: "While commands run, look names up in this domain, or in none: .",
    parse: parseSearchDomain,
  }),
  noHosts: flag({ name: "no-hosts", description: "While commands run, leave the image's /etc/hosts as it is" }),
  resourceLimits: list({
    name: "ulimit",
    valueName: "NAME=SOFT[:HARD]",
    description: "Limit a resource of commands' processes",
    parse: parseUlimitOption,
  }),
  security: list({
    name: "security-opt",
    valueName: "KIND=VALUE",
    description: "For commands, set seccomp, no-new-privileges, apparmor, label, mask, unmask or systempaths",
    parse: parseSecurityOption,
  }),
  sharedMemorySize: single({
    name: "shm-size",
    valueName: "BYTES",
    description: "Size of /dev/shm while commands run",
    parse: parseBytes,
    initial: 64 << 20,
    initialText: "64m",
  }),
  volumes: list({
    name: "volume",
    short: "v",
    valueName: "PATH:DESTINATION[:OPTION,...]",
    description: "While commands run, mount a file or directory of the host, which is in no key of the cache",
    parse: parseBuildVolume,
  }),
  ...resourceOptions,
} as const;

function parseBuildVolume(text: string): BindMountRequest {
  const volume = parseVolumeOption(text);
  if (volume.type !== "bind")
    throw new InvalidValue("a build mounts paths of the host; what it keeps is for RUN --mount=type=cache");
  if (volume.givesToUser)
    throw new InvalidValue("U is not for builds: their commands are root, unless USER says otherwise");
  // Podman makes none for a build.
  return { ...volume, createSource: false };
}

/**
 * What the options say of containers.
 * @throws BunkerError `conflicting_options`, and as `checkLabels`, `securityOptionsOf` and `resourcesOf`
 */
export async function containerOptionsOf(values: OptionValues<typeof containerOptions>): Promise<ContainerOptions> {
  const { addedHosts, noHosts, additionalGroups, capabilitiesAdded, capabilitiesDropped, cgroupParent } = values;
  if (noHosts && addedHosts.length > 0) {
    throw new BunkerError({ code: "conflicting_options", operation: "conflicting options: --no-hosts and --add-host" });
  }
  const { dnsServers, dnsOptions, dnsSearch, resourceLimits, sharedMemorySize, volumes } = values;
  checkLabels(volumes);
  const security = await securityOptionsOf(values.security);
  const resources = resourcesOf(values);
  return {
    ...{ addedHosts, noHosts, capabilitiesAdded, capabilitiesDropped, cgroupParent, dnsServers, dnsOptions, dnsSearch },
    ...{ additionalGroups, volumes, resourceLimits, sharedMemorySize, security, resources },
  };
}
