/*
 * Where a container's config.json comes from: what the user asked for (RunOptions) joined with what the image says, the
 * ids that the user has, and a few facts of the host, by Docker's rules. Nothing here touches the system; what must be
 * looked up is handed in, so the result is a pure function of its input and is tested as data. The runtime then obeys
 * the configuration and knows neither images nor options.
 */

import type { CapabilityName } from "../../runtime/configuration/capabilities.ts";
import { checkConfiguration } from "../../runtime/configuration/check.ts";
import type {
  Configuration,
  Linux,
  Namespace,
  Process,
  SeccompConfiguration,
} from "../../runtime/configuration/configuration.ts";
import { type IdMap, mappedCount, outerId } from "../../runtime/id-map/id-mapping.ts";
import { BunkerError } from "../../sys/error.ts";
import { nodePath } from "../../sys/node-modules.ts";
import { containerCapabilities } from "./container-capabilities.ts";
import { containerArguments, containerEnvironment } from "./container-command.ts";
import type { ContainerInput } from "./container-input.ts";
import { containerMounts } from "./container-mounts.ts";
import { deviceProtection, deviceRules } from "./device-rules.ts";
import type { ImageConfiguration } from "./image-configuration.ts";
import { protectedPaths } from "./protected-paths.ts";
import type { PlacedRunOptions, RunOptions } from "./run-options.ts";
import { securityLabels } from "./security-labels.ts";
import { type ContainerUser, lookUpUser } from "./user-lookup.ts";

const SPECIFICATION_VERSION = "1.2.1";
/** What the container's init is called in the list of processes; it has no file. */
const INIT_NAME = "/dev/init";
/** The kernel's PATH_MAX, bytes with the NUL at the end. */
const LONGEST_PATH = 4096;
const KEEP_GROUPS = "keep-groups";
/** As crun has it. */
const KEEP_GROUPS_ANNOTATION = "run.oci.keep_original_groups";
const STOP_SIGNAL_ANNOTATION = "org.opencontainers.image.stopSignal";

/**
 * The configuration of a new container, as Docker would make it.
 * @throws BunkerError for what the options ask and cannot be had: `no_command`, `user_not_found`, `group_not_found`,
 * `id_not_mapped`, `unknown_capability`, `conflicting_options`, `invalid_working_directory`, `duplicate_mount`,
 * `invalid_label`, `unsupported_device_permissions`, `limit_not_supported`, and `invalid_configuration` from `checkConfiguration`
 */
export function containerSpecification(input: ContainerInput): Configuration {
  const { id, options, image, host } = input;
  // In a user namespace of its own a container has every capability over it, whoever made it.
  const capabilities = containerCapabilities(options, {
    all: input.userNamespace === undefined ? host.capabilities : undefined,
    makesNodes: deviceProtection(input) !== "no nodes",
  });
  const hostname = containerHostname(input);
  const labels = securityLabels(options.security.labels);
  const configuration: Configuration = {
    ociVersion: SPECIFICATION_VERSION,
    process: containerProcess(input, capabilities, hostname ?? host.hostname, labels.processLabel),
    root: { path: input.rootPath, readonly: options.readOnly },
    hostname,
    domainname: options.domainname,
    mounts: containerMounts(input),
    annotations: containerAnnotations(options, image),
    linux: {
      namespaces: containerNamespaces(input),
      uidMappings: input.userNamespace?.uidMappings,
      gidMappings: input.userNamespace?.gidMappings,
      cgroupsPath: input.cgroupsPath,
      resources: containerResources(input),
      rootfsPropagation: rootPropagation(options),
      seccomp: containerSeccomp(input, capabilities),
      ...protectedPaths(options.security, options.privileged, host.maskedPaths),
      mountLabel: labels.mountLabel,
      sysctl: containerSysctls(options),
      personality: options.personality === undefined ? undefined : { domain: options.personality },
    },
  };
  checkConfiguration(configuration, `of container ${id.slice(0, 12)}`);
  return configuration;
}

function containerAnnotations({ annotations, additionalGroups }: PlacedRunOptions, { stopSignal }: ImageConfiguration) {
  const all = {
    ...(stopSignal === undefined ? {} : { [STOP_SIGNAL_ANNOTATION]: stopSignal }),
    ...annotations,
    ...(keepsGroups(additionalGroups) ? { [KEEP_GROUPS_ANNOTATION]: "1" } : {}),
  };
  return Object.keys(all).length === 0 ? undefined : all;
}

/**
 * Whether the process keeps the groups that the caller has on the host, as Podman calls it.
 * @throws BunkerError `conflicting_options`
 */
function keepsGroups(groups: readonly string[]): boolean {
  if (!groups.includes(KEEP_GROUPS)) return false;
  if (groups.length === 1) return true;
  throw new BunkerError({
    code: "conflicting_options",
    operation: "conflicting options: --group-add keep-groups and other groups",
    hint: "The kernel lets a process keep its groups, or have others.",
  });
}

function containerResources(input: ContainerInput): Linux["resources"] {
  const { resources } = input.options;
  const devices = deviceRules(input);
  return resources === undefined && devices === undefined ? undefined : { ...resources, devices };
}

function containerProcess(
  input: ContainerInput,
  capabilities: readonly CapabilityName[],
  hostname: string | undefined,
  selinuxLabel: string | undefined,
): Process {
  const { options, image } = input;
  const { security, terminal } = options;
  const keeps = keepsGroups(options.additionalGroups);
  const user = lookUpUser(
    options.user ?? (image.user || input.defaultUser),
    input.passwdText,
    input.groupText,
    keeps ? [] : options.additionalGroups,
  );
  const ids = processUser(user, input.userNamespace, input.idShortage);
  const words = containerArguments(options, image);
  return {
    terminal,
    consoleSize: terminal ? input.consoleSize : undefined,
    user: { ...ids, additionalGids: keeps ? undefined : ids.additionalGids, umask: options.umask },
    args: options.init ? [INIT_NAME, "--", ...words] : [...words],
    env: containerEnvironment(
      options.environment,
      image.environment ?? [],
      { hostname, terminal, home: user.home },
      options.environmentRules,
    ),
    cwd: workingDirectory(options.workingDirectory ?? image.workingDirectory ?? ""),
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    // The names were checked when the options were read.
    rlimits: options.resourceLimits as Process["rlimits"],
    noNewPrivileges: security.noNewPrivileges,
    apparmorProfile: security.apparmorProfile,
    selinuxLabel,
    oomScoreAdj: options.oomScoreAdjustment,
  };
}

/**
 * The ids of the process. With one group id only, the kernel refuses setgroups(2) for good, and groups of which the
 * user is merely a member in /etc/group are left out; what was asked for by name must exist in any case.
 */
function processUser(
  user: ContainerUser,
  userNamespace: IdMap | undefined,
  idShortage: string | undefined,
): Process["user"] {
  const { uid, gid } = user;
  if (userNamespace === undefined)
    return { uid, gid, additionalGids: distinct(gid, ...user.memberGids, ...user.addedGids) };
  const { uidMappings, gidMappings } = userNamespace;
  const onlyOneGroup = mappedCount(gidMappings) === 1;
  const groups = distinct(gid, ...(onlyOneGroup ? [] : user.memberGids), ...user.addedGids);
  if (outerId(uidMappings, uid) === undefined) throw notMapped("user", uid, uidMappings, idShortage);
  const unmapped = groups.find((group) => outerId(gidMappings, group) === undefined);
  if (unmapped !== undefined) throw notMapped("group", unmapped, gidMappings, idShortage);
  return { uid, gid, additionalGids: onlyOneGroup ? undefined : groups };
}

function distinct(...ids: readonly number[]): readonly number[] {
  return [...new Set(ids)];
}

function notMapped(
  kind: "user" | "group",
  id: number,
  mappings: IdMap["uidMappings"],
  idShortage: string | undefined,
): BunkerError {
  const count = mappedCount(mappings);
  return new BunkerError({
    code: "id_not_mapped",
    operation: "use",
    object: `${kind} id ${id}`,
    reason: `the container's user namespace has ${count === 1 ? "1 id" : `${count} ids`}, and this is none of them`,
    hint: idShortage ?? `An administrator can give you more ids in /etc/sub${kind === "user" ? "u" : "g"}id.`,
  });
}

function workingDirectory(path: string): string {
  if (path === "") return "/";
  const reason = !path.startsWith("/")
    ? "it needs to be an absolute path"
    : Buffer.byteLength(path) >= LONGEST_PATH
      ? `a path has at most ${LONGEST_PATH - 1} bytes`
      : undefined;
  if (reason === undefined) return nodePath().posix.normalize(path);
  throw new BunkerError({
    code: "invalid_working_directory",
    operation: "use working directory",
    object: JSON.stringify(path.length > 100 ? `${path.slice(0, 100)}…` : path),
    reason,
  });
}

/**
 * The host name to set: with the host's network it is the host's, so that the name resolves; as in Docker.
 * @returns undefined in a namespace that others have named
 */
function containerHostname({ id, options, host }: ContainerInput): string | undefined {
  if (options.utsNamespace === "private") {
    return options.hostname ?? (options.network === "host" ? host.hostname : id.slice(0, 12));
  }
  const conflict =
    options.hostname !== undefined ? "hostname" : options.domainname !== undefined ? "domainname" : undefined;
  if (conflict === undefined) return undefined;
  throw new BunkerError({
    code: "conflicting_options",
    operation: `conflicting options: ${conflict} and the UTS mode`,
    hint: `The container has the names that its UTS namespace has already; leave out --${conflict} or --uts.`,
  });
}

/** The namespaces that a container is in; `path`s of those that it joins come when it starts. */
export function containerNamespaces({
  options,
  userNamespace,
}: {
  readonly options: Pick<RunOptions, "network" | "utsNamespace" | "pidNamespace" | "ipcNamespace" | "cgroupNamespace">;
  readonly userNamespace: IdMap | undefined;
}): readonly Namespace[] {
  const types: Namespace["type"][] = ["mount"];
  if (options.network !== "host") types.push("network");
  if (options.utsNamespace !== "host") types.push("uts");
  if (options.pidNamespace !== "host") types.push("pid");
  if (options.ipcNamespace !== "host") types.push("ipc");
  if (options.cgroupNamespace !== "host") types.push("cgroup");
  if (userNamespace !== undefined) types.push("user");
  return types.map((type) => ({ type }));
}

/** A privileged container has a filter only if one was named. */
function containerSeccomp(
  { options, resolveSeccomp }: ContainerInput,
  capabilities: readonly CapabilityName[],
): SeccompConfiguration | undefined {
  const { seccomp } = options.security;
  if (seccomp?.kind === "unconfined" || (seccomp === undefined && options.privileged)) return undefined;
  return resolveSeccomp(seccomp?.json, capabilities);
}

/** A mount can only take part in the host's propagation if the root it is made in does. */
function rootPropagation({ mounts }: PlacedRunOptions): Linux["rootfsPropagation"] {
  const modes = new Set(mounts.map((mount) => (mount.type === "bind" ? mount.propagation : "rprivate")));
  if (modes.has("shared") || modes.has("rshared")) return "shared";
  return modes.has("slave") || modes.has("rslave") ? "rslave" : undefined;
}

/** With a network of its own, no port of the container is reserved for its root. */
function containerSysctls({ network, sysctls }: PlacedRunOptions): Readonly<Record<string, string>> {
  return network === "host" || network === "joined"
    ? sysctls
    : { "net.ipv4.ip_unprivileged_port_start": "0", ...sysctls };
}
