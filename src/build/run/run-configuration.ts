/*
 * The config.json of a RUN: the one that `bunker run` would make, of the stage's configuration and the options of the
 * build that are about containers. A RUN has no input, no terminal and no health; its words are the shell's or its own.
 */
import type { Resources } from "../../cgroup/resource-files.ts";
import { ownLink } from "../../engine/network/container-links.ts";
import { DEFAULT_SLIRP } from "../../engine/network/default-slirp.ts";
import { hostnameFile } from "../../engine/network/network-files.ts";
import { planNetwork } from "../../engine/network/network-plan.ts";
import { namedNetworks, networkTexts } from "../../engine/network/network-texts.ts";
import type { Ownership } from "../../engine/ownership.ts";
import type { ContainerInput } from "../../engine/specification/container-input.ts";
import { containerSpecification } from "../../engine/specification/container-specification.ts";
import { hasDefaultSeccompFilter } from "../../engine/specification/default-seccomp-filter.ts";
import { readHostFacts } from "../../engine/specification/host-facts.ts";
import { resolveSeccomp } from "../../engine/specification/resolve-seccomp.ts";
import type {
  AddedHost,
  BindMountRequest,
  PlacedMount,
  PlacedRunOptions,
  ResourceLimit,
  SecurityOptions,
} from "../../engine/specification/run-options.ts";
import type { NetworkConfiguration } from "../../network/configuration.ts";
import type { Configuration } from "../../runtime/configuration/configuration.ts";

/** What the options of a build say of the containers of all its RUNs. */
export interface ContainerOptions {
  readonly addedHosts: readonly AddedHost[];
  /** Whether the image's /etc/hosts stays as it is. */
  readonly noHosts: boolean;
  /** Groups that the user of a command is in besides. */
  readonly additionalGroups: readonly string[];
  /** What of the host commands find in their file systems. */
  readonly volumes: readonly BindMountRequest[];
  readonly resourceLimits: readonly ResourceLimit[];
  /** Bytes of /dev/shm. */
  readonly sharedMemorySize: number;
  /** The slice or cgroup that each one's own is below. */
  readonly cgroupParent: string | undefined;
  /** Limits of each. */
  readonly resources: Resources | undefined;
  readonly dnsServers: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly capabilitiesAdded: readonly string[];
  readonly capabilitiesDropped: readonly string[];
  readonly security: SecurityOptions;
}

/** What is to be run. */
export interface RunSettings extends ContainerOptions {
  readonly id: string;
  readonly words: readonly string[];
  /** `NAME=value`, each name once. */
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  /** Empty for root. */
  readonly user: string;
  readonly mounts: readonly PlacedMount[];
  readonly network: "default" | "none" | "host";
  readonly isInsecure: boolean;
  readonly hostname: string;
}

/** What is known of the place where it runs. */
export interface RunPlace {
  readonly ownership: Ownership;
  readonly rootPath: string;
  /** Files that are bound into the container are written there. */
  readonly directory: string;
  /** A file of the root file system. */
  readonly readFile: (path: string) => string | undefined;
  readonly writeFile: (name: string, text: string) => string;
}

/** A RUN as it is to be launched. */
export interface PlannedRun {
  readonly configuration: Configuration;
  /** Of a network of its own. */
  readonly network: NetworkConfiguration | undefined;
  /** Whether its filter is the one that is compiled already, which its configuration then lacks. */
  readonly defaultFilter: boolean;
}

/**
 * Plans the container of a RUN.
 * @throws BunkerError as `containerSpecification`
 */
export function planRun(settings: RunSettings, place: RunPlace): PlannedRun {
  const options = runOptionsOf(settings);
  const network = options.network === "slirp" ? planNetwork(options.networkSettings, []) : undefined;
  const defaultFilter = hasDefaultSeccompFilter({ ...options, mounts: [] });
  const networks = network === undefined ? undefined : namedNetworks([ownLink(network.configuration, undefined)]);
  const { hosts, resolvConf } = networkTexts({ ...options, mounts: [] }, networks, settings.hostname);
  const input: ContainerInput = {
    id: settings.id,
    options,
    image: {
      environment: [...settings.environment],
      user: settings.user,
      workingDirectory: settings.workingDirectory,
    },
    defaultUser: "",
    rootPath: place.rootPath,
    passwdText: place.readFile("etc/passwd") ?? "",
    groupText: place.readFile("etc/group") ?? "",
    userNamespace: place.ownership.userNamespace,
    idShortage: place.ownership.idShortage,
    files: {
      hosts: settings.noHosts ? undefined : place.writeFile("hosts", hosts),
      hostname: place.writeFile("hostname", hostnameFile(settings.hostname)),
      resolvConf: place.writeFile("resolv.conf", resolvConf),
    },
    cgroupsPath: undefined,
    consoleSize: undefined,
    resolveSeccomp: defaultFilter ? () => undefined : resolveSeccomp,
    host: readHostFacts({ ...options, mounts: [] }),
  };
  return { configuration: containerSpecification(input), network: network?.configuration, defaultFilter };
}

function runOptionsOf(settings: RunSettings): PlacedRunOptions {
  return {
    image: { kind: "stored", name: "" },
    pull: "never",
    quiet: true,
    command: settings.words,
    entrypoint: [],
    interactive: false,
    terminal: false,
    environment: [],
    mounts: settings.mounts,
    volumesFrom: [],
    workingDirectory: undefined,
    user: undefined,
    additionalGroups: settings.additionalGroups,
    hostname: settings.hostname,
    domainname: undefined,
    readOnly: false,
    remove: true,
    labels: {},
    annotations: {},
    restart: { name: "no", maximumRetryCount: 0 },
    stopSignal: undefined,
    stopTimeout: undefined,
    health: {
      disabled: true,
      command: undefined,
      interval: undefined,
      timeout: undefined,
      startPeriod: undefined,
      startInterval: undefined,
      retries: undefined,
    },
    log: { driver: "none", maximumSize: undefined, maximumFiles: 1, compress: false },
    attached: { input: false, output: true, error: true },
    name: undefined,
    init: false,
    capabilitiesAdded: settings.capabilitiesAdded,
    capabilitiesDropped: settings.capabilitiesDropped,
    security: settings.security,
    privileged: settings.isInsecure,
    pidNamespace: "private",
    ipcNamespace: "private",
    utsNamespace: "private",
    cgroupNamespace: "private",
    cgroups: "enabled",
    cgroupParent: settings.cgroupParent,
    systemd: "false",
    userNamespace: { kind: "default" },
    network: settings.network === "default" ? "slirp" : settings.network,
    networkSettings: {
      slirp: DEFAULT_SLIRP,
      joined: undefined,
      shared: [],
      hardwareAddress: undefined,
      published: [],
      publishAll: false,
      exposed: [],
      dnsServers: settings.dnsServers,
      dnsSearch: settings.dnsSearch,
      dnsOptions: settings.dnsOptions,
      addedHosts: settings.addedHosts,
      egress: undefined,
      shaping: undefined,
    },
    sharedMemorySize: settings.sharedMemorySize,
    resourceLimits: settings.resourceLimits,
    resources: settings.resources,
    sysctls: {},
    oomScoreAdjustment: undefined,
    devices: [],
    platform: undefined,
    debugLaunch: false,
  };
}
