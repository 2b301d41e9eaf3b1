import type { ContainerSize } from "../../engine/files/container-size.ts";
import { stopSignalOf } from "../../engine/lifecycle/stop-container.ts";
import { logFile } from "../../engine/log/log-file.ts";
import { joinedContainer, joinedPath } from "../../engine/namespaces/namespace-mode.ts";
import { namesOf, sharedLink } from "../../engine/network/container-links.ts";
import { predefinedNetwork } from "../../engine/network/predefined-networks.ts";
import { readConfiguration } from "../../engine/state/container-configuration.ts";
import type { MountPoint } from "../../engine/state/container-definition.ts";
import { containerDirectory } from "../../engine/state/container-lock.ts";
import type { Container } from "../../engine/state/containers.ts";
import { type EndpointRequest, endpointsOfContainer } from "../../engine/state/networks.ts";
import { formatAddress } from "../../network/address.ts";
import type { Subnet } from "../../network/configuration.ts";
import type { Configuration } from "../../runtime/configuration/configuration.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { hiddenFields, withAbsent } from "../format/hidden-fields.ts";
import { mapOrNil, NIL_MAP, NIL_SLICE, type Structure, type Value } from "../format/template/value.ts";
import { flag } from "../option.ts";
import { publishedPorts, unpublishedPorts } from "./port-text.ts";
import { inspectResources } from "./resource-inspection.ts";

/** Go's zero time, which Docker shows for what has not happened. */
const NEVER = "0001-01-01T00:00:00Z";
const NANOSECONDS = 1e6;

/** What containers of older versions have not recorded. */
const NOT_RECORDED: Structure = {
  PortBindings: NIL_MAP,
  PublishAllPorts: false,
  Dns: [],
  DnsOptions: [],
  DnsSearch: [],
  ExtraHosts: [],
};

/** Whether `inspect` measures containers. */
export const inspectSizeOption = flag({ name: "size", short: "s", description: "Show how large containers are" });

/**
 * What `docker inspect` shows of a container; Docker Engine API, ContainerInspect.
 * @param data Bunker's data directory
 * @param sizeOf measures it; undefined leaves its size out
 */
export function inspectContainer(
  database: StateDatabase,
  data: string,
  container: Container,
  sizeOf?: (container: Container) => ContainerSize,
): Structure {
  const { id, name, created, definition, restartCount } = container;
  const directory = containerDirectory(data, id);
  const files = containerDirectory(data, joinedContainer(definition.network) ?? id);
  const { configuration: shown, hostConfiguration } = definition.shown;
  const { configuration, damage } = configurationOf(data, id);
  const { Path, Args, ...config } = shown;
  const inspection = {
    Id: id,
    Created: time(created),
    Path: templateValue(Path),
    Args: templateValue(Args),
    State: inspectState(container, damage),
    Image: definition.imageId,
    ResolvConfPath: `${files}/resolv.conf`,
    HostnamePath: `${files}/hostname`,
    HostsPath: `${files}/hosts`,
    LogPath: definition.log.driver === "none" || definition.log.driver === "journald" ? "" : logFile(directory, id),
    Name: `/${name}`,
    RestartCount: restartCount,
    Driver: "overlay",
    Platform: "linux",
    MountLabel: configuration.linux?.mountLabel ?? "",
    ProcessLabel: configuration.process?.selinuxLabel ?? "",
    AppArmorProfile: configuration.process?.apparmorProfile ?? "",
    ExecIDs: NIL_SLICE,
    HostConfig: {
      DeviceRequests: deviceRequests(definition.namedDevices),
      ...NOT_RECORDED,
      ...structureOf(hostConfiguration),
      ...inspectResources(configuration.linux?.resources ?? {}, container),
      LogConfig: { Type: definition.log.driver, Config: mapOrNil(logOptions(definition.log)) },
      RestartPolicy: {
        Name: definition.restart.name,
        MaximumRetryCount: definition.restart.maximumRetryCount,
      },
      Annotations: mapOrNil(definition.annotations),
      MaskedPaths: [...(configuration.linux?.maskedPaths ?? [])],
      ReadonlyPaths: [...(configuration.linux?.readonlyPaths ?? [])],
      Runtime: "bunker",
    },
    ...(sizeOf === undefined ? {} : sizes(sizeOf(container))),
    GraphDriver: { Name: "overlay", Data: layerPaths(container, directory) },
    Mounts: mountsOf(definition.mountPoints),
    Config: inspectConfiguration(config, definition),
    NetworkSettings: inspectNetworks(database, container),
  };
  // The image's name is Podman's.
  return hiddenFields(withAbsent(inspection, { SizeRw: null, SizeRootFs: null }), { ImageName: definition.image });
}

/** Docker Engine API, ContainerConfig. */
function inspectConfiguration(
  config: Readonly<Record<string, unknown>>,
  definition: Container["definition"],
): Structure {
  const fields = {
    ...structureOf(config),
    Image: definition.image,
    Labels: mapOrNil(definition.labels),
    StopSignal: stopSignalOf(definition),
    ...(definition.stopTimeout === undefined ? {} : { StopTimeout: definition.stopTimeout }),
    ...(definition.health === undefined ? {} : { Healthcheck: healthCheck(definition.health) }),
  };
  return withAbsent(fields, { StopTimeout: null, Healthcheck: null, OnBuild: NIL_SLICE, Shell: NIL_SLICE });
}

/** Devices of the Container Device Interface, as Docker shows them. */
function deviceRequests(devices: Container["definition"]["namedDevices"]) {
  if (devices === undefined) return NIL_SLICE;
  return [{ Driver: "cdi", Count: 0, DeviceIDs: [...devices.names], Capabilities: NIL_SLICE, Options: NIL_MAP }];
}

function sizes({ written, whole }: ContainerSize): Structure {
  return { SizeRw: written, SizeRootFs: whole };
}

/** Of an EndpointSettings, what NetworkSettings has itself. */
const USUAL_SETTINGS = [
  "EndpointID",
  "Gateway",
  "GlobalIPv6Address",
  "GlobalIPv6PrefixLen",
  "IPAddress",
  "IPPrefixLen",
  "IPv6Gateway",
  "MacAddress",
] as const;

/**
 * Docker Engine API, NetworkSettings. Beside the networks it has the settings of the usual one, as Podman has them, and
 * Docker before version 29. The key is a path of the network's namespace, for nsenter(1) and the like.
 */
function inspectNetworks(database: StateDatabase, container: Container): Structure {
  const networks = new Map(networksOf(database, container));
  const usual = networks.get("bridge") ?? networkSettings(undefined, undefined, { hardwareAddress: "" });
  return {
    SandboxKey: container.pid === undefined ? "" : `/proc/${container.pid}/ns/net`,
    Ports: portMap(container),
    ...Object.fromEntries(USUAL_SETTINGS.map((field) => [field, usual[field]])),
    Networks: networks,
  };
}

/** The networks of a container by their names; addresses are shown while it runs, as with Docker. */
function networksOf(database: StateDatabase, container: Container): [string, Structure][] {
  const { id, name, definition } = container;
  const isUp = container.status === "running" || container.status === "paused";
  const shownHostname = definition.shown.configuration["Hostname"];
  const hostname = typeof shownHostname === "string" ? shownHostname : undefined;
  const own: [string, Structure][] = [];
  const isJoined = (joinedContainer(definition.network) ?? joinedPath(definition.network)) !== undefined;
  if (definition.membership === undefined && !isJoined) {
    const subnets = definition.networkPlan?.configuration;
    const shown = isUp ? subnets : undefined;
    const settings = networkSettings(shown?.ipv4, shown?.ipv6, {
      hardwareAddress: definition.networkPlan?.hardwareAddress ?? "",
      networkId: predefinedNetwork(definition.network)?.id ?? "",
    });
    own.push([definition.network, settings]);
  }
  const shared = endpointsOfContainer(database, id).map((place): [string, Structure] => {
    const { endpoint, network } = place;
    const { configuration } = sharedLink({ id, name, hostname, definition }, place);
    const { request } = endpoint;
    const settings = networkSettings(isUp ? configuration.ipv4 : undefined, isUp ? configuration.ipv6 : undefined, {
      hardwareAddress: isUp ? endpoint.hardwareAddress : "",
      aliases: request.aliases,
      networkId: network.id,
      endpointId: isUp ? endpoint.id : "",
      names: namesOf({ id, name, hostname, definition }, request.aliases),
      wanted: request,
    });
    return [network.name, settings];
  });
  return [...own, ...shared];
}

/** Docker Engine API, EndpointSettings. */
function networkSettings(
  ipv4: Subnet | undefined,
  ipv6: Subnet | undefined,
  place: {
    readonly hardwareAddress: string;
    readonly aliases?: readonly string[];
    readonly networkId?: string;
    readonly endpointId?: string;
    readonly names?: readonly string[];
    readonly wanted?: EndpointRequest;
  },
): Structure {
  const { hardwareAddress, aliases = [], networkId = "", endpointId = "", names = [], wanted } = place;
  const address = (subnet: Subnet | undefined, key: "address" | "gateway") =>
    subnet === undefined ? "" : formatAddress(subnet[key]);
  const { links = [], options = {} } = wanted ?? {};
  const asked = {
    ...(wanted?.ipv4 === undefined ? {} : { IPv4Address: wanted.ipv4 }),
    ...(wanted?.ipv6 === undefined ? {} : { IPv6Address: wanted.ipv6 }),
  };
  return {
    IPAMConfig: Object.keys(asked).length === 0 ? null : asked,
    Links: links.length === 0 ? NIL_SLICE : links.map(({ container, alias }) => `${container}:${alias}`),
    Aliases: aliases.length === 0 ? NIL_SLICE : [...aliases],
    MacAddress: hardwareAddress,
    DriverOpts: Object.keys(options).length === 0 ? NIL_MAP : new Map(Object.entries(options)),
    GwPriority: wanted?.gatewayPriority ?? 0,
    NetworkID: networkId,
    EndpointID: endpointId,
    Gateway: address(ipv4, "gateway"),
    IPAddress: address(ipv4, "address"),
    IPPrefixLen: ipv4?.prefixLength ?? 0,
    IPv6Gateway: address(ipv6, "gateway"),
    GlobalIPv6Address: address(ipv6, "address"),
    GlobalIPv6PrefixLen: ipv6?.prefixLength ?? 0,
    DNSNames: names.length === 0 ? NIL_SLICE : [...names],
  };
}

/** The ports of the host by the container's, with nothing for those that are not published. */
function portMap(container: Container): Value {
  const bindings = Map.groupBy(publishedPorts(container), ({ port }) => port);
  return new Map([
    ...unpublishedPorts(container).map(({ protocol, port }): [string, Value] => [`${port}/${protocol}`, null]),
    ...[...bindings].map(([port, some]): [string, Value] => [
      port,
      some.map(({ address, hostPort }) => ({ HostIp: address, HostPort: String(hostPort) })),
    ]),
  ]);
}

function time(milliseconds: number | undefined): string {
  return milliseconds === undefined ? NEVER : new Date(milliseconds).toISOString();
}

/** Of a container whose config.json is damaged, what is known without it. */
function configurationOf(data: string, id: string): { configuration: Partial<Configuration>; damage: string } {
  try {
    return { configuration: readConfiguration(data, id), damage: "" };
  } catch (error) {
    if (!(error instanceof BunkerError) || error.code !== "container_damaged") throw error;
    return { configuration: {}, damage: error.message };
  }
}

function inspectState(container: Container, damage: string): Structure {
  const { status, health } = container;
  const state = {
    Status: status,
    Running: status === "running" || status === "paused",
    Paused: status === "paused",
    Restarting: status === "restarting",
    OOMKilled: container.outOfMemory,
    Dead: status === "dead",
    Pid: container.pid ?? 0,
    ExitCode: container.exitStatus ?? 0,
    Error: [container.error, damage].filter((text) => text !== "").join("; "),
    StartedAt: time(container.started),
    FinishedAt: time(container.finished),
    ...(health === undefined
      ? {}
      : {
          Health: {
            Status: health.status,
            FailingStreak: health.failingStreak,
            Log: health.log.map(({ start, end, exitStatus, output }) => ({
              Start: time(start),
              End: time(end),
              ExitCode: exitStatus,
              Output: output,
            })),
          },
        }),
  };
  return withAbsent(state, { Health: null });
}

function healthCheck(health: NonNullable<Container["definition"]["health"]>): Structure {
  return {
    Test: health.test,
    Interval: health.interval * NANOSECONDS,
    Timeout: health.timeout * NANOSECONDS,
    StartPeriod: health.startPeriod * NANOSECONDS,
    StartInterval: health.startInterval * NANOSECONDS,
    Retries: health.retries,
  };
}

function logOptions({ maximumSize, maximumFiles, compress }: Container["definition"]["log"]): Record<string, string> {
  return {
    ...(maximumSize === undefined ? {} : { "max-size": String(maximumSize) }),
    ...(maximumFiles > 1 ? { "max-file": String(maximumFiles) } : {}),
    ...(compress ? { compress: "true" } : {}),
  };
}

function layerPaths({ definition }: Container, directory: string): Structure {
  const { root } = definition;
  if (root.kind !== "layers") return { LowerDir: root.kind === "view" ? root.source : root.path };
  return {
    LowerDir: root.lower.join(":"),
    MergedDir: `${directory}/root`,
    UpperDir: `${directory}/upper`,
    WorkDir: `${directory}/work`,
  };
}

/** What is mounted of the host and of volumes. */
function mountsOf(mountPoints: readonly MountPoint[]): Structure[] {
  return mountPoints.map(({ type, name, source, subpath, image, destination, readOnly, propagation, options }) => {
    const fields = {
      Type: type,
      ...(name === undefined ? {} : { Name: name }),
      Source: image !== undefined ? image.name : subpath === undefined ? source : `${source}/${subpath}`,
      ...(image === undefined ? {} : { SubPath: subpath ?? "" }),
      Destination: destination,
      ...(name === undefined ? {} : { Driver: "local" }),
      Mode: options.join(","),
      RW: !readOnly,
      Propagation: name === undefined ? propagation : "",
    };
    return withAbsent(fields, { Name: "", Driver: "" });
  });
}

function structureOf(record: Readonly<Record<string, unknown>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, templateValue(value)]));
}

/** JSON of the state database as a value of templates. */
function templateValue(json: unknown): Value {
  if (Array.isArray(json)) return json.map(templateValue);
  if (typeof json === "object" && json !== null)
    return new Map(Object.entries(json).map(([key, value]) => [key, templateValue(value)]));
  if (typeof json === "string" || typeof json === "number" || typeof json === "boolean") return json;
  return null;
}
