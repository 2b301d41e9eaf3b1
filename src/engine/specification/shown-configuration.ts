import { formatAddress } from "../../network/address.ts";
import { namespaceMode } from "../namespaces/namespace-mode.ts";
import { networkMode } from "../network/network-mode.ts";
import type { GivenSecrets } from "../secrets/give-secrets.ts";
import type { ContainerDefinition } from "../state/container-definition.ts";
import { containerArguments, containerEnvironment } from "./container-command.ts";
import type { ContainerInput } from "./container-input.ts";
import { deviceRuleText } from "./device-rules.ts";
import type { MountRequest, RunOptions, UserNamespaceMode } from "./run-options.ts";

/** What every container gets, and is not shown. */
const OWN_VARIABLES = ["HOME=", "HOSTNAME=", "TERM="];

/** A volume option as Docker shows binds, among which it counts volumes with a name. */
function bindText(mount: MountRequest): string | undefined {
  if (mount.type === "tmpfs" || mount.type === "image" || (mount.type === "bind" && !mount.createSource))
    return undefined;
  const source = mount.type === "volume" ? mount.name : mount.source;
  if (source === undefined) return undefined;
  const options = [mount.readOnly ? "ro" : "", mount.propagation === "rprivate" ? "" : mount.propagation];
  const shown = options.filter((word) => word !== "").join(",");
  return `${source}:${mount.destination}${shown === "" ? "" : `:${shown}`}`;
}

function securityOptions({ security }: RunOptions): string[] {
  const { seccomp, noNewPrivileges, apparmorProfile, labels, systemPathsUnconfined } = security;
  return [
    ...(seccomp === undefined ? [] : [`seccomp=${seccomp.kind === "unconfined" ? "unconfined" : seccomp.json}`]),
    ...(noNewPrivileges ? ["no-new-privileges"] : []),
    ...(apparmorProfile === undefined ? [] : [`apparmor=${apparmorProfile}`]),
    ...labels.map((label) => `label=${label}`),
    ...(systemPathsUnconfined ? ["systempaths=unconfined"] : []),
  ];
}

/** Docker writes a set as an object. */
function emptyMembers(names: readonly string[]): Readonly<Record<string, object>> {
  return names.length === 0 ? {} : Object.fromEntries(names.map((name) => [name, {}]));
}

function tmpfsTexts(mounts: readonly MountRequest[]): Readonly<Record<string, string>> {
  const those = mounts.filter((mount) => mount.type === "tmpfs");
  return those.length === 0
    ? {}
    : Object.fromEntries(those.map((mount) => [mount.destination, mount.options.join(",")]));
}

/** The ports that options name, in an image's notation; those that are published count, as with Docker. */
function exposedPorts({ networkSettings: { exposed, published } }: RunOptions): string[] {
  return [...exposed, ...published.map(({ container }) => container)].flatMap(({ protocol, first, last }) =>
    Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`),
  );
}

/** What was asked for at each port of the container: the host's, one of a range to choose from, or `""` for any. */
function portBindings({ networkSettings: { published } }: RunOptions): Readonly<Record<string, unknown>> {
  const bindings: Record<string, { readonly HostIp: string; readonly HostPort: string }[]> = {};
  for (const { container, host, address } of published) {
    const count = container.last - container.first + 1;
    const isChoice = host !== undefined && host.last - host.first + 1 !== count;
    for (let index = 0; index < count; index++) {
      const hostPort = host === undefined ? "" : isChoice ? `${host.first}-${host.last}` : String(host.first + index);
      const binding = { HostIp: address === undefined ? "" : formatAddress(address), HostPort: hostPort };
      const port = `${container.first + index}/${container.protocol}`;
      bindings[port] = [...(bindings[port] ?? []), binding];
    }
  }
  return bindings;
}

function userNamespaceText(mode: UserNamespaceMode): string {
  if (mode.kind === "joined") return namespaceMode(mode.joined);
  return mode.kind === "default" ? "" : mode.kind;
}

/**
 * What `docker inspect` shows of a container's making, under the names of Docker's API.
 * @param input with the options as the user has given them, and what the container has of secrets, without their data
 */
export function shownConfiguration({
  id,
  options,
  image,
  secrets,
}: Pick<ContainerInput, "id" | "image"> & {
  readonly options: RunOptions;
  readonly secrets: GivenSecrets["shown"];
}): ContainerDefinition["shown"] {
  const hostname = options.hostname ?? id.slice(0, 12);
  const environment = containerEnvironment(
    options.environment,
    image.environment ?? [],
    { hostname, terminal: options.terminal, home: "" },
    options.environmentRules,
  );
  const words = containerArguments(options, image);
  return {
    configuration: {
      Hostname: hostname,
      Domainname: options.domainname ?? "",
      User: options.user ?? image.user ?? "",
      AttachStdin: options.attached.input,
      AttachStdout: options.attached.output,
      AttachStderr: options.attached.error,
      Tty: options.terminal,
      OpenStdin: options.interactive,
      StdinOnce: options.interactive && options.attached.input,
      Env: environment.filter((entry) => !OWN_VARIABLES.some((name) => entry.startsWith(name))),
      Cmd: options.command.length > 0 ? options.command : (image.command ?? []),
      WorkingDir: options.workingDirectory ?? image.workingDirectory ?? "",
      Entrypoint: options.entrypoint ?? (image.entrypoint?.length ? image.entrypoint : null),
      ExposedPorts: emptyMembers([...(image.exposedPorts ?? []), ...exposedPorts(options)]),
      Volumes: emptyMembers(image.volumes ?? []),
      ...(secrets.length === 0 ? {} : { Secrets: secrets }),
      Path: words[0] ?? "",
      Args: words.slice(1),
    },
    hostConfiguration: {
      Binds: options.mounts.map(bindText).filter((text) => text !== undefined),
      NetworkMode: networkMode(options),
      PortBindings: portBindings(options),
      PublishAllPorts: options.networkSettings.publishAll,
      Dns: options.networkSettings.dnsServers,
      DnsOptions: options.networkSettings.dnsOptions,
      DnsSearch: options.networkSettings.dnsSearch,
      ExtraHosts: options.networkSettings.addedHosts.map(({ name, address }) => `${name}:${address}`),
      AutoRemove: options.remove,
      VolumesFrom: options.volumesFrom.map(
        ({ container, readOnly }) => container + (readOnly === undefined ? "" : readOnly ? ":ro" : ":rw"),
      ),
      CapAdd: options.capabilitiesAdded,
      CapDrop: options.capabilitiesDropped,
      CgroupnsMode: namespaceMode(options.cgroupNamespace),
      GroupAdd: options.additionalGroups,
      IpcMode: namespaceMode(options.ipcNamespace),
      OomScoreAdj: options.oomScoreAdjustment ?? 0,
      PidMode: options.pidNamespace === "private" ? "" : namespaceMode(options.pidNamespace),
      Privileged: options.privileged,
      ReadonlyRootfs: options.readOnly,
      SecurityOpt: securityOptions(options),
      UTSMode: options.utsNamespace === "private" ? "" : namespaceMode(options.utsNamespace),
      UsernsMode: userNamespaceText(options.userNamespace),
      ShmSize: options.sharedMemorySize,
      Sysctls: options.sysctls,
      Init: options.init,
      Devices: options.devices.map((device) => ({
        PathOnHost: device.hostPath,
        PathInContainer: device.containerPath,
        CgroupPermissions: device.permissions,
      })),
      DeviceCgroupRules: (options.resources?.devices ?? []).map(deviceRuleText),
      Ulimits: options.resourceLimits.map((limit) => ({
        Name: limit.type.replace(/^RLIMIT_/, "").toLowerCase(),
        // -1 is how Docker writes "unlimited"; JSON has no bigint.
        Soft: typeof limit.soft === "bigint" ? -1 : limit.soft,
        Hard: typeof limit.hard === "bigint" ? -1 : limit.hard,
      })),
      Tmpfs: tmpfsTexts(options.mounts),
    },
  };
}
