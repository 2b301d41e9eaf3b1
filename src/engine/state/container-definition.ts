import * as v from "valibot";
import { lazily } from "../../lazily.ts";
import { BunkerError } from "../../sys/error.ts";
import { membershipSchema, networkPlanSchema } from "../network/network-plan-schema.ts";

const stringMap = lazily(() => v.record(v.string(), v.string()));

const names = lazily(() => v.pipe(v.array(v.string()), v.readonly()));

const rootPlanSchema = lazily(() =>
  v.variant("kind", [
    v.object({ kind: v.literal("directory"), path: v.string() }),
    v.object({ kind: v.literal("layers"), lower: v.array(v.string()) }),
    v.object({ kind: v.literal("view"), source: v.string() }),
  ]),
);

/** Durations in milliseconds; 0 takes Docker's default. */
const healthCheckSchema = lazily(() =>
  v.object({
    /** `["CMD", …]` or `["CMD-SHELL", script]`. */
    test: v.array(v.string()),
    /** What executes a script, if the image says something else than `/bin/sh -c`. */
    shell: v.optional(v.array(v.string())),
    interval: v.number(),
    timeout: v.number(),
    startPeriod: v.number(),
    startInterval: v.number(),
    retries: v.number(),
    /** What is checked first, until it has succeeded so many times in a row. */
    startup: v.optional(
      v.object({
        test: v.array(v.string()),
        interval: v.number(),
        timeout: v.number(),
        /** Failures in a row after which the container is restarted; 0 for never. */
        retries: v.number(),
        successes: v.number(),
      }),
    ),
    /** How many results are kept, and how many bytes of output of each; 0 for all. */
    maximumResults: v.optional(v.number()),
    longestOutput: v.optional(v.number()),
  }),
);

const restartPolicySchema = lazily(() =>
  v.object({
    name: v.picklist(["no", "always", "unless-stopped", "on-failure"]),
    /** How often `on-failure` tries; 0 is for ever. */
    maximumRetryCount: v.number(),
  }),
);

const logSchema = lazily(() =>
  v.object({
    driver: v.picklist(["json-file", "local", "journald", "none"]),
    /** Bytes at which a file is rotated; undefined never. */
    maximumSize: v.optional(v.number()),
    maximumFiles: v.number(),
    compress: v.boolean(),
    /** What entries of the journal are called by, with Docker's fields in braces. */
    tag: v.optional(v.string()),
  }),
);

const mountPointSchema = lazily(() =>
  v.object({
    type: v.picklist(["bind", "volume", "image"]),
    /** The volume's. */
    name: v.optional(v.string()),
    /** Whether it is a volume that the container was given without a name. */
    isAnonymous: v.boolean(),
    /** Of the host; empty for a volume in memory; for an image the directory that it is mounted on for the container. */
    source: v.string(),
    /** The part of a volume or image that is mounted instead of all. */
    subpath: v.optional(v.string()),
    image: v.optional(
      v.object({
        /** As the user named it. */
        name: v.string(),
        /** The digest of its configuration. */
        id: v.string(),
        /** The directories of its layers, the uppermost first. */
        lower: v.array(v.string()),
        /** What is mounted of it. */
        kind: v.picklist(["directory", "file"]),
      }),
    ),
    destination: v.string(),
    readOnly: v.boolean(),
    recursive: v.boolean(),
    propagation: v.picklist(["private", "rprivate", "shared", "rshared", "slave", "rslave"]),
    options: names(),
    /** The directory with what is written over the source, which ends with the container's run. */
    changes: v.optional(v.string()),
  }),
);

/** Whatever the object holds: `v.record` would go through it member by member, for each container of a list. */
/** What the usual network was called when older containers were recorded: by what makes it. */
const FORMER_BRIDGE = "slirp";

const shownSchema = v.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
);

const summarySchema = lazily(() =>
  v.object({
    /** As the user named it. */
    image: v.string(),
    labels: stringMap(),
    /** Whether the filter is the one that was compiled when Bunker was built, so that config.json does not spell it out. */
    defaultFilter: v.boolean(),
  }),
);

const definitionSchema = lazily(() =>
  v.object({
    ...summarySchema().entries,
    /** The digest of the image's configuration; empty for a directory. */
    imageId: v.string(),
    command: v.array(v.string()),
    annotations: stringMap(),
    terminal: v.boolean(),
    openInput: v.boolean(),
    /** Whether the input ends with the first one that is attached to it. */
    inputOnce: v.boolean(),
    /** Seconds after which it is killed. */
    runTimeout: v.optional(v.number()),
    /** A file for the number of its first process. */
    pidFile: v.optional(v.string()),
    /** What is done when it becomes unhealthy. */
    healthAction: v.optional(v.picklist(["none", "kill", "restart", "stop"])),
    init: v.boolean(),
    /** Removed when it ends. */
    remove: v.boolean(),
    /** And its image with it, unless others use that. */
    removesImage: v.optional(v.boolean()),
    root: rootPlanSchema(),
    /** What is mounted of the host and of volumes because the user or the image asks for it. */
    mountPoints: v.optional(v.array(mountPointSchema()), []),
    /** undefined is the signal that Docker takes, SIGTERM. */
    stopSignal: v.optional(v.string()),
    /** Seconds; undefined is 10. */
    stopTimeout: v.optional(v.number()),
    restart: restartPolicySchema(),
    log: logSchema(),
    health: v.optional(healthCheckSchema()),
    /** What the user says about its cgroup. */
    cgroups: v.optional(
      v.object({
        mode: v.picklist(["enabled", "disabled", "no-conmon", "split"]),
        parent: v.optional(v.string()),
        /** Whether it does not work without. */
        isNeeded: v.optional(v.boolean()),
      }),
      { mode: "enabled" },
    ),
    network: v.pipe(
      v.string(),
      v.transform((name) => (name === FORMER_BRIDGE ? "bridge" : name)),
    ),
    /** The other namespaces that are another container's, `container:ID`, or have a path, `ns:PATH`. */
    joined: v.optional(
      v.object({
        cgroup: v.optional(v.string()),
        ipc: v.optional(v.string()),
        pid: v.optional(v.string()),
        user: v.optional(v.string()),
        uts: v.optional(v.string()),
      }),
    ),
    /** Devices that are looked up at each start; devices/container-devices.ts. */
    namedDevices: v.optional(v.object({ names: names(), directories: names() })),
    /** What a network of its own is made of. */
    networkPlan: v.optional(networkPlanSchema()),
    /** For one on networks that users have made. */
    membership: v.optional(membershipSchema()),
    /** What `docker inspect` shows under HostConfig and Config and nothing else depends on. */
    shown: v.object({
      hostConfiguration: v.pipe(
        shownSchema,
        v.transform((shown) => (shown["NetworkMode"] === FORMER_BRIDGE ? { ...shown, NetworkMode: "bridge" } : shown)),
      ),
      configuration: shownSchema,
    }),
  }),
);

/** What a container was made from, besides its config.json. */
export type ContainerDefinition = Readonly<v.InferOutput<ReturnType<typeof definitionSchema>>>;
/** What of it matters to a further process of the container, and to events. */
export type DefinitionSummary = Readonly<v.InferOutput<ReturnType<typeof summarySchema>>>;
export type MountPoint = ContainerDefinition["mountPoints"][number];
export type RootPlan = ContainerDefinition["root"];
export type HealthCheck = NonNullable<ContainerDefinition["health"]>;
export type RestartPolicy = ContainerDefinition["restart"];
export type LogConfiguration = ContainerDefinition["log"];

const definitionText = lazily(() => v.pipe(v.string(), v.parseJson(), definitionSchema()));
const summaryText = lazily(() => v.pipe(v.string(), v.parseJson(), summarySchema()));

/** The last one that was written down: whoever makes a container finds it again at its end, and would read all of it. */
let written: { readonly text: string; readonly definition: ContainerDefinition } | undefined;

/** A definition as `parseDefinition` reads it. */
export function formatDefinition(definition: ContainerDefinition): string {
  const text = JSON.stringify(definition);
  written = { text, definition };
  return text;
}

/** @throws BunkerError `invalid_container` when the database holds something else than this version writes */
export function parseDefinition(text: string, id: string): ContainerDefinition {
  if (written?.text === text) return written.definition;
  return parse(definitionText(), text, id);
}

/**
 * Reads a part alone, in a third of the time.
 * @throws BunkerError as `parseDefinition`, for what it reads
 */
export function parseSummary(text: string, id: string): DefinitionSummary {
  return parse(summaryText(), text, id);
}

function parse<Schema extends ReturnType<typeof definitionText | typeof summaryText>>(
  schema: Schema,
  text: string,
  id: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, text);
  if (result.success) return result.output;
  throw new BunkerError({
    code: "invalid_container",
    operation: "read the definition of container",
    object: id,
    reason: `${v.getDotPath(result.issues[0]) ?? ""}: ${result.issues[0].message}`,
  });
}
