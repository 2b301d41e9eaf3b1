import type { CapabilityName } from "../../runtime/configuration/capabilities.ts";
import type { SeccompConfiguration } from "../../runtime/configuration/configuration.ts";
import type { IdMap } from "../../runtime/id-map/id-mapping.ts";
import type { HostFacts } from "./host-facts.ts";
import type { ImageConfiguration } from "./image-configuration.ts";
import type { PlacedRunOptions } from "./run-options.ts";

/** Files of the engine that stand for files of the image; a path each, undefined to leave the image's file alone. */
export interface ContainerFiles {
  readonly hosts: string | undefined;
  readonly hostname: string | undefined;
  readonly resolvConf: string | undefined;
  /** The time zone's. */
  readonly localtime?: string | undefined;
}

/** What the configuration of a new container is made from. */
export interface ContainerInput {
  /** The container's full id; its first 12 characters are the default host name. */
  readonly id: string;
  readonly options: PlacedRunOptions;
  readonly image: ImageConfiguration;
  /** Who the process is when neither the options nor the image say it: empty for root, `uid:gid` with keep-id. */
  readonly defaultUser: string;
  /** The directory that becomes the container's root, for `root.path`. */
  readonly rootPath: string;
  /** /etc/passwd and /etc/group of the root file system; empty if missing. */
  readonly passwdText: string;
  readonly groupText: string;
  /**
   * The container's user namespace, with the ids outside being those of whoever runs the runtime; undefined to stay in
   * the present one, which only real root should.
   */
  readonly userNamespace: IdMap | undefined;
  /** Why that has few ids, and what would give more. */
  readonly idShortage?: string | undefined;
  readonly files: ContainerFiles;
  readonly cgroupsPath: string | undefined;
  /** Whether its first process is systemd, which divides the container's cgroup. */
  readonly startsSystemd?: boolean | undefined;
  /** The terminal's size at the start, in characters; undefined when unknown. */
  readonly consoleSize: { readonly height: number; readonly width: number } | undefined;
  /**
   * Makes the seccomp filter of a container with these capabilities.
   * @param profileJson a profile in Docker's form; undefined for the default profile
   * @returns undefined when the caller installs the filter by other means
   */
  readonly resolveSeccomp: (
    profileJson: string | undefined,
    capabilities: readonly CapabilityName[],
  ) => SeccompConfiguration | undefined;
  readonly host: HostFacts;
}
