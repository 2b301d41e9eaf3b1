import type { Resources } from "../../cgroup/resource-files.ts";
import type { ImageSource } from "../../image/image-source.ts";
import type { OutboundBinding, Subnet } from "../../network/configuration.ts";
import type { EgressRules } from "../../network/egress.ts";
import type { TransportProtocol } from "../../network/published-port.ts";
import type { ShapingRules } from "../../network/shaping.ts";
import type { Address } from "../../sys/internet-socket.ts";
import type { PullPolicy, PullRequest } from "../images/pull-request.ts";
import type { PlaceRequest } from "../network/take-endpoints.ts";
import type { LogConfiguration, RestartPolicy } from "../state/container-definition.ts";

/**
 * What a user may ask of a new container, parsed and checked but not yet joined with the image's configuration:
 * the seam between the command line (and later the API) and the engine.
 */
export interface RunOptions {
  readonly image: ImageSource;
  /** When a registry is asked for it. */
  readonly pull: PullPolicy;
  /** Whether nothing is said about that. */
  readonly quiet: boolean;
  /** The words after the image; empty means the image's own command. */
  readonly command: readonly string[];
  /** `--entrypoint`; an empty list clears the image's. */
  readonly entrypoint: readonly string[] | undefined;
  readonly interactive: boolean;
  readonly terminal: boolean;
  /** `NAME=value` entries in the order given, `--env-file` first. */
  readonly environment: readonly string[];
  /** What becomes of the variables that neither options nor the user's files set. */
  readonly environmentRules?: EnvironmentRules;
  readonly mounts: readonly MountRequest[];
  /** What becomes of the volumes that the image names. */
  readonly imageVolumes?: "anonymous" | "tmpfs" | "ignore";
  /** `--volumes-from`: containers whose mounts it gets as well. */
  readonly volumesFrom: readonly VolumesFrom[];
  readonly workingDirectory: string | undefined;
  /** `name`, `uid`, `name:group`, `uid:gid`. */
  readonly user: string | undefined;
  /** Names or numbers, or `keep-groups` alone: those of the caller. */
  readonly additionalGroups: readonly string[];
  readonly hostname: string | undefined;
  /** Whether the image's /etc/hostname, or /etc/hosts, stays as it is. */
  readonly noHostname?: boolean;
  readonly noHosts?: boolean;
  /** What /etc/hosts begins with: nothing, what the image's says, or a text. */
  readonly hostsBase?: "none" | "image" | { readonly text: string };
  /** Directories of the container whose `etc` gets what its own gets of the engine. */
  readonly chrootDirectories?: readonly string[];
  readonly domainname: string | undefined;
  readonly readOnly: boolean;
  /** Whether a read-only container has file systems in memory where programs write what need not last. */
  readonly readOnlyTmpfs?: boolean;
  readonly remove: boolean;
  /** Whether its image goes with it. */
  readonly removesImage?: boolean;
  /** Its execution domain. */
  readonly personality?: "LINUX" | "LINUX32" | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly restart: RestartPolicy;
  /** Seconds after which it is killed; undefined or 0 for never. */
  readonly runTimeout?: number | undefined;
  /** A file for the number of its first process. */
  readonly pidFile?: string | undefined;
  /** A signal's name or number; undefined takes the image's, or SIGTERM. */
  readonly stopSignal: string | undefined;
  /** Seconds that `stop` waits before it kills. */
  readonly stopTimeout: number | undefined;
  /** undefined takes the image's. */
  readonly health: HealthOptions;
  /** What is done when it becomes unhealthy. */
  readonly healthAction?: "none" | "kill" | "restart" | "stop";
  readonly log: LogConfiguration;
  /** Which streams are attached: a container whose input nobody is attached to may keep it open for later. */
  readonly attached: AttachedStreams;
  readonly name: string | undefined;
  /** Whether the container that has the name goes first. */
  readonly replaces?: boolean;
  readonly init: boolean;
  /** `CAP_…` names, or `ALL`. */
  readonly capabilitiesAdded: readonly string[];
  readonly capabilitiesDropped: readonly string[];
  readonly security: SecurityOptions;
  readonly privileged: boolean;
  readonly pidNamespace: "private" | "host" | JoinedNamespace;
  /** `shareable`: others may join it. `none`: without shared memory. */
  readonly ipcNamespace: "private" | "shareable" | "host" | "none" | JoinedNamespace;
  readonly utsNamespace: "private" | "host" | JoinedNamespace;
  readonly cgroupNamespace: "private" | "host" | JoinedNamespace;
  /** Whether it gets a cgroup of its own; `split` divides that of whoever starts it. */
  readonly cgroups: "enabled" | "disabled" | "no-conmon" | "split";
  /** Whether its first process is systemd; `true` goes by its name. */
  readonly systemd: "true" | "false" | "always";
  /** A slice of systemd's, or the path of a cgroup; undefined for the usual place. */
  readonly cgroupParent: string | undefined;
  readonly userNamespace: UserNamespaceMode;
  /**
   * `slirp`: a namespace of its own with Bunker's network stack; `shared`: the same, on networks that users have made;
   * `joined`: a namespace that is there. See `NetworkSettings`.
   */
  readonly network: "none" | "host" | "slirp" | "shared" | "joined";
  readonly networkSettings: NetworkSettings;
  /** Bytes of /dev/shm. */
  readonly sharedMemorySize: number;
  readonly resourceLimits: readonly ResourceLimit[];
  /** What the container's cgroup is to keep to; undefined for no limits. */
  readonly resources: Resources | undefined;
  /** Kernel parameters by name, such as `net.core.somaxconn`. */
  readonly sysctls: Readonly<Record<string, string>>;
  readonly oomScoreAdjustment: number | undefined;
  readonly devices: readonly DeviceRequest[];
  /** Devices of the Container Device Interface. */
  readonly namedDevices?: NamedDevices | undefined;
  /** What of the user's secrets it gets. */
  readonly secrets?: readonly SecretRequest[];
  /** How the registry is asked for the image. */
  readonly registry?: PullRequest["settings"];
  /** The host's file of a time zone. */
  readonly timeZone?: string | undefined;
  /** Of the process; 0022 unless given. */
  readonly umask?: number | undefined;
  /** `os/architecture[/variant]`. */
  readonly platform: string | undefined;
  /** Print the launch program, what the container's first process will do up to its exec, before it runs. */
  readonly debugLaunch: boolean;
}

/** What Podman can do to the environment that a container has of others than the user. */
export interface EnvironmentRules {
  /** The caller's whole environment, which the image's entries come before; empty for none. */
  readonly host: readonly string[];
  /** Names and values in which `${NAME}` stands for what the image says. */
  readonly merged: readonly (readonly [name: string, value: string])[];
  /** Names that the image's entries and the defaults do not set. */
  readonly unset: "all" | readonly string[];
}

/** Which of a container's streams a command is attached to. */
interface AttachedStreams {
  readonly input: boolean;
  readonly output: boolean;
  readonly error: boolean;
}

/** What the user says about health checks; durations in milliseconds. What is undefined the image says. */
export interface HealthOptions {
  readonly disabled: boolean;
  readonly command: string | undefined;
  readonly interval: number | undefined;
  readonly timeout: number | undefined;
  readonly startPeriod: number | undefined;
  readonly startInterval: number | undefined;
  readonly retries: number | undefined;
  /** What is checked until it succeeds, before any of that. */
  readonly startup?: StartupOptions | undefined;
  /** How many results are kept, and how many bytes of output of each; 0 for all. */
  readonly maximumResults?: number | undefined;
  readonly longestOutput?: number | undefined;
}

/** What the user says about a check of its own while a container starts. */
export interface StartupOptions {
  readonly command: string | undefined;
  readonly interval: number | undefined;
  readonly timeout: number | undefined;
  /** Failures in a row after which the container is restarted; 0 for never. */
  readonly retries: number | undefined;
  /** Successes in a row that it takes. */
  readonly successes: number | undefined;
}

export type MountRequest = BindMountRequest | TmpfsMountRequest | VolumeMountRequest | ImageMountRequest;

/** What is mounted in the end, when it is known which directories volumes are. */
export type PlacedMount = BindMountRequest | TmpfsMountRequest | OverlayMount;

/** What is asked of a container whose mounts have their places. */
export type PlacedRunOptions = Omit<RunOptions, "mounts"> & { readonly mounts: readonly PlacedMount[] };

export interface BindMountRequest {
  readonly type: "bind";
  /** An absolute path of the host. */
  readonly source: string;
  readonly destination: string;
  readonly readOnly: boolean;
  /** `--mount` demands that the source exists; `-v` makes a missing directory, as Docker does. */
  readonly createSource: boolean;
  readonly propagation: "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave";
  readonly recursive: boolean;
  /** Read-only for what is mounted below the source as well. */
  readonly recursiveReadOnly: boolean;
  /** On a host with SELinux, the label the source gets: one for all containers (`z`) or for this one (`Z`). */
  readonly relabel: "shared" | "private" | undefined;
  /** Podman's `U`: whether the files are given to the container's user. */
  readonly givesToUser: boolean;
  /** Podman's `O`: whether what the container writes is kept apart and ends with its run. */
  readonly isOverlay: boolean;
  /** Further mount options in the words of mount(8): nosuid, nodev, noexec, … */
  readonly options: readonly string[];
}

export interface VolumeMountRequest {
  readonly type: "volume";
  /** undefined for a volume of this container's, without a name. */
  readonly name: string | undefined;
  /** Whether the user gave it no name, here or for the container that it is taken over from: then it may go with it. */
  readonly isAnonymous: boolean;
  readonly destination: string;
  readonly readOnly: boolean;
  /** Whether an empty volume gets what the image has at its place. */
  readonly isPopulated: boolean;
  /** The part of the volume that is mounted, relative to it; undefined for all. */
  readonly subpath: string | undefined;
  /** What the volume gets if it has to be made. */
  readonly labels: Readonly<Record<string, string>>;
  readonly driverOptions: Readonly<Record<string, string>>;
  readonly propagation: BindMountRequest["propagation"];
  readonly relabel: BindMountRequest["relabel"];
  readonly givesToUser: boolean;
  readonly options: readonly string[];
}

/** The files of an image. */
export interface ImageMountRequest {
  readonly type: "image";
  readonly image: Exclude<ImageSource, { kind: "rootfs" }>;
  readonly destination: string;
  /** Otherwise what is written ends with the container's run. */
  readonly readOnly: boolean;
  /** The part of the image that is mounted, relative to its root; undefined for all. */
  readonly subpath: string | undefined;
}

/** A view of a directory of the host in which changes go elsewhere. */
export interface OverlayMount {
  readonly type: "overlay";
  /** The directory of the host. */
  readonly source: string;
  /** A directory with the directories `upper` and `work`. */
  readonly changes: string;
  readonly destination: string;
  readonly readOnly: boolean;
  readonly options: readonly string[];
}

export interface TmpfsMountRequest {
  readonly type: "tmpfs";
  readonly destination: string;
  /** Mount options in the words of mount(8), complete: noexec, nosuid, nodev, size=64m, mode=1777, … */
  readonly options: readonly string[];
}

/** A value of `--volumes-from`. */
export interface VolumesFrom {
  /** A container's name or id. */
  readonly container: string;
  /** undefined: as the other container has each. */
  readonly readOnly: boolean | undefined;
}

export interface SecurityOptions {
  /** `seccomp=unconfined`, or the text of a profile in Docker's JSON form; undefined is Docker's default profile. */
  readonly seccomp: { readonly kind: "unconfined" } | { readonly kind: "profile"; readonly json: string } | undefined;
  readonly noNewPrivileges: boolean;
  readonly apparmorProfile: string | undefined;
  /** `label=disable` or SELinux parts such as `type:container_t`. */
  readonly labels: readonly string[];
  readonly maskedPaths: readonly string[];
  /** Paths to unmask; `ALL` for all of them. */
  readonly unmaskedPaths: readonly string[];
  /** `systempaths=unconfined`: neither masked nor read-only paths. */
  readonly systemPathsUnconfined: boolean;
}

export type UserNamespaceMode =
  | { readonly kind: "default" }
  | { readonly kind: "host" }
  | { readonly kind: "joined"; readonly joined: JoinedNamespace }
  | { readonly kind: "keep-id"; readonly uid: number | undefined; readonly gid: number | undefined };

export interface ResourceLimit {
  /** As in the OCI specification: `RLIMIT_NOFILE`. */
  readonly type: string;
  /** A bigint only for `UNLIMITED`. */
  readonly soft: number | bigint;
  readonly hard: number | bigint;
}

export interface DeviceRequest {
  readonly hostPath: string;
  readonly containerPath: string;
  /** Any of r, w and m. */
  readonly permissions: string;
}

/** Devices whose specifications say what a container needs of them; devices/. */
export interface NamedDevices {
  /** `vendor.com/class=name`, in the order given. */
  readonly names: readonly string[];
  /** Where specifications are; those in later directories count before others. */
  readonly directories: readonly string[];
}

/** A value of `--secret`. */
export type SecretRequest = SecretFileRequest | SecretVariableRequest;

/** A secret as a file. */
export interface SecretFileRequest {
  readonly type: "mount";
  /** The secret's name or id. */
  readonly source: string;
  /** An absolute path of the container. */
  readonly target: string;
  /** Ids of the container. */
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** A secret as a variable of the environment. */
interface SecretVariableRequest {
  readonly type: "env";
  readonly source: string;
  /** The variable's name. */
  readonly target: string;
}

/** What is asked of a container's network besides its kind. */
export interface NetworkSettings {
  readonly slirp: SlirpSettings;
  /** Whose network is joined; only with the network `joined`. */
  readonly joined: JoinedNamespace | undefined;
  /** The networks that it is on, at least one; only with the network `shared`. */
  readonly shared: readonly PlaceRequest[];
  /** Of the device of the network `slirp`; undefined for one of the kernel's choice. */
  readonly hardwareAddress: string | undefined;
  readonly published: readonly PublishRequest[];
  /** `--publish-all`: every port that the image or `--expose` names gets one of the host's. */
  readonly publishAll: boolean;
  readonly exposed: readonly PortRange[];
  /** Instead of the resolvers that the container would have otherwise; empty for those, or `NO_DNS` alone. */
  readonly dnsServers: readonly string[];
  /** Instead of the host's search list; a single `.` for none at all. */
  readonly dnsSearch: readonly string[];
  /** Instead of the host's options. */
  readonly dnsOptions: readonly string[];
  readonly addedHosts: readonly AddedHost[];
  /** What alone may be reached outside; undefined for everything. */
  readonly egress: EgressRules | undefined;
  /** How its traffic is made worse; undefined for not at all. */
  readonly shaping: ShapingRules | undefined;
}

/** A namespace that is there: a container's, by its name or id, or one that has a path. */
export type JoinedNamespace =
  | { readonly kind: "container"; readonly container: string }
  | { readonly kind: "path"; readonly path: string };

/** The options of `--network slirp:…`. */
export interface SlirpSettings {
  /** Whether the gateway's address leads to the host's loopback. */
  readonly allowHostLoopback: boolean;
  readonly mtu: number | undefined;
  /** Whether there is IPv6; undefined: as the host has it. */
  readonly ipv6: boolean | undefined;
  /** Instead of 10.0.2.0/24. */
  readonly subnet: Subnet | undefined;
  readonly outbound4: OutboundBinding | undefined;
  readonly outbound6: OutboundBinding | undefined;
}

/** Ports, the first and the last. */
export interface PortRange {
  readonly protocol: TransportProtocol;
  readonly first: number;
  readonly last: number;
}

/** A value of `--publish`. */
export interface PublishRequest {
  readonly container: PortRange;
  /** Of the host; undefined: ports that are free. A range longer than the container's is one to choose from. */
  readonly host: { readonly first: number; readonly last: number } | undefined;
  /** Of the host; undefined: all its addresses. */
  readonly address: Address | undefined;
}

/** A value of `--add-host`; `host-gateway` stands for the host itself. */
export interface AddedHost {
  readonly name: string;
  readonly address: string;
}
