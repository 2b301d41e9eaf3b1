import type { PullPolicy } from "../engine/images/pull-request.ts";
import type { Compression } from "../image/layers/decompress.ts";
import type { Platform } from "../image/platform.ts";
import type { RegistrySettings } from "../image/registry/registry-settings.ts";
import type { CacheDestination, CacheSource } from "./remote-cache/cache-place.ts";
import type { ContainerOptions } from "./run/run-configuration.ts";
import type { AgentSource } from "./secrets/agent-source.ts";
import type { SecretSource } from "./secrets/secret-source.ts";

/** Where a build's result goes. */
export type BuildOutput =
  | {
      /** The image store, or with `pushes` also a registry. */
      readonly type: "image";
      /** Full names with tags. */
      readonly names: readonly string[];
      readonly pushes: boolean;
      readonly packing: OutputPacking;
    }
  | {
      /** An archive: of an image layout, or of Docker's form. */
      readonly type: "oci" | "docker";
      readonly names: readonly string[];
      /** A file, or `-` for standard output; undefined brings it into the image store. */
      readonly destination: string | undefined;
      /** Whether the destination becomes a directory instead of an archive. */
      readonly isDirectory: boolean;
      readonly packing: OutputPacking;
    }
  /** The files alone, in a directory or in an archive. */
  | { readonly type: "local"; readonly destination: string }
  | { readonly type: "tar"; readonly destination: string };

/** How an image is written. */
interface OutputPacking {
  readonly compression: Compression;
  readonly level: number | undefined;
  readonly mediaTypes: "oci" | "docker";
  /** Whether times of files are not later than SOURCE_DATE_EPOCH, too. */
  readonly rewritesTimes: boolean;
}

/** An annotation and what it is put on. */
interface Annotation {
  readonly on: "manifest" | "index";
  readonly name: string;
  readonly value: string;
}

/** What a user asks of a build, parsed and checked. */
export interface BuildOptions {
  /** A directory, `-` for standard input, or a URL. */
  readonly context: string;
  /** A path, `-` for standard input; undefined is `Dockerfile` in the context. */
  readonly dockerfile: string | undefined;
  /** The path of what is read instead of `.dockerignore`. */
  readonly ignoreFile: string | undefined;
  readonly target: string | undefined;
  /** The image that takes the place of what the first FROM names. */
  readonly firstBase: string | undefined;
  /** `NAME=value` that stages have in their environment from the beginning. */
  readonly environment: readonly string[];
  /** Names of what the environment of the image does not have. */
  readonly unsetVariables: readonly string[];
  /** Keys of labels that are not taken over from the images that stages begin with. */
  readonly unsetLabels: readonly string[] | "all";
  /** What is done with the Dockerfile: it is built, or only checked or described. */
  readonly call: "build" | "check" | "outline" | "targets";
  readonly buildArguments: ReadonlyMap<string, string>;
  /** `--build-context`, as written, by their names. */
  readonly buildContexts: ReadonlyMap<string, string>;
  readonly noCache: boolean;
  /** Names of stages that are not taken from the cache. */
  readonly noCacheStages: readonly string[];
  /** When registries are asked for images. */
  readonly pull: PullPolicy;
  readonly registrySettings: RegistrySettings;
  /** At least one. */
  readonly platforms: readonly Platform[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: readonly Annotation[];
  readonly network: "default" | "none" | "host";
  readonly containers: ContainerOptions;
  /** How many commands run at the same time; undefined for as many as there are processors. */
  readonly jobs: number | undefined;
  /** What RUN may ask for that is not the default: `network.host`, `security.insecure`. */
  readonly allowed: readonly string[];
  readonly secrets: readonly SecretSource[];
  readonly agents: readonly AgentSource[];
  /** How much is said about the build beside the image; undefined for nothing. */
  readonly provenance: "min" | "max" | undefined;
  /** What becomes one layer: what the steps have added, or everything. */
  readonly squashes: "added" | "everything" | undefined;
  /** Whether times of files are SOURCE_DATE_EPOCH, not only no later. */
  readonly statesTimes: boolean;
  /** Whether the image says nothing of the steps that have made it. */
  readonly omitsHistory: boolean;
  readonly outputs: readonly BuildOutput[];
  readonly cacheSources: readonly CacheSource[];
  readonly cacheDestinations: readonly CacheDestination[];
}
