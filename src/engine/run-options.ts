/**
 * What a user may ask of a new container, parsed and checked but not yet joined with the image's configuration:
 * the seam between the command line (and later the API) and the engine. Paths and names are as the user wrote them.
 */
export interface RunOptions {
  readonly image: ImageSource;
  /** The words after the image; empty means the image's own command. */
  readonly command: readonly string[];
  /** `--entrypoint`; an empty list clears the image's. */
  readonly entrypoint: readonly string[] | undefined;
  readonly interactive: boolean;
  readonly terminal: boolean;
  /** `NAME=value` entries in the order given, `--env-file` first. */
  readonly environment: readonly string[];
  readonly mounts: readonly MountRequest[];
  readonly workingDirectory: string | undefined;
  /** `name`, `uid`, `name:group`, `uid:gid`. */
  readonly user: string | undefined;
  readonly additionalGroups: readonly string[];
  readonly hostname: string | undefined;
  readonly domainname: string | undefined;
  readonly readOnly: boolean;
  readonly remove: boolean;
  readonly name: string | undefined;
  readonly init: boolean;
  readonly capabilitiesAdded: readonly string[];
  readonly capabilitiesDropped: readonly string[];
  readonly security: SecurityOptions;
  readonly privileged: boolean;
  readonly pidNamespace: "private" | "host";
  readonly ipcNamespace: "private" | "host" | "none";
  readonly utsNamespace: "private" | "host";
  readonly cgroupNamespace: "private" | "host";
  readonly userNamespace: UserNamespaceMode;
  readonly network: "none" | "host";
  /** Bytes of /dev/shm. */
  readonly sharedMemorySize: number;
  readonly resourceLimits: readonly ResourceLimit[];
  /** Kernel parameters by name, such as `net.core.somaxconn`. */
  readonly sysctls: Readonly<Record<string, string>>;
  readonly oomScoreAdjustment: number | undefined;
  readonly devices: readonly DeviceRequest[];
  /** `os/architecture[/variant]`. */
  readonly platform: string | undefined;
}

/** Where the root file system comes from. */
export type ImageSource =
  | { readonly kind: "rootfs"; readonly path: string; readonly overlay: boolean }
  | { readonly kind: "oci"; readonly path: string; readonly tag: string | undefined }
  | { readonly kind: "oci-archive"; readonly path: string; readonly tag: string | undefined }
  | { readonly kind: "docker-archive"; readonly path: string; readonly tag: string | undefined };

export type MountRequest =
  | {
      readonly type: "bind";
      readonly source: string;
      readonly destination: string;
      readonly readOnly: boolean;
      /** `--mount` demands that the source exists; `-v` makes a missing directory, as Docker does. */
      readonly createSource: boolean;
      readonly propagation: "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave";
      readonly recursive: boolean;
      /** Read-only for what is mounted below the source as well. */
      readonly recursiveReadOnly: boolean;
      /** Further mount options in the words of mount(8): nosuid, nodev, noexec, … */
      readonly options: readonly string[];
    }
  | {
      readonly type: "tmpfs";
      readonly destination: string;
      /** Mount options in the words of mount(8): size=64m, mode=1777, ro, noexec, … */
      readonly options: readonly string[];
    };

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
  | { readonly kind: "keep-id"; readonly uid: number | undefined; readonly gid: number | undefined };

export interface ResourceLimit {
  /** As in the OCI specification: `RLIMIT_NOFILE`. */
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
}

export interface DeviceRequest {
  readonly hostPath: string;
  readonly containerPath: string;
  /** Any of r, w and m. */
  readonly permissions: string;
}
