/*
 * What a specification of devices does to a container's configuration; CDI specification, "OCI Edits". Nothing here
 * touches the system. What stands in the configuration already is replaced: a variable of the name, a mount at the place.
 */
import { posix } from "node:path";
import type { Configuration, Hook, Mount, Process } from "../../runtime/configuration/configuration.ts";
import { outerId } from "../../runtime/id-map/id-mapping.ts";
import { BunkerError } from "../../sys/error.ts";
import type { DeviceNode } from "../specification/host-devices.ts";
import type { ContainerEdits } from "./device-specification.ts";

const PROPAGATION = /^r?(private|shared|slave|unbindable)$/;
/** As crun has it; container-specification.ts. */
const KEEP_GROUPS_ANNOTATION = "run.oci.keep_original_groups";

/**
 * A configuration with what devices need.
 * @param nodesOf the devices behind a path of the host, for the filter of containers that have one
 * @throws BunkerError `device_unsupported`, `id_not_mapped`
 */
export function applyEdits(
  configuration: Configuration,
  all: readonly ContainerEdits[],
  nodesOf: (hostPath: string, permissions: string) => readonly DeviceNode[],
): Configuration {
  for (const { intelRdt, netDevices, deviceNodes, mounts } of all) {
    if (intelRdt != null) throw unsupported("a class of the processors' caches (intelRdt), which Bunker does not give");
    if ((netDevices ?? []).length > 0) {
      throw unsupported("a network device of the host (netDevices), which Bunker does not give");
    }
    const places = [...deviceNodes.map(({ path }) => path), ...mounts.map(({ containerPath }) => containerPath)];
    const root = places.find((place) => posix.resolve(place) === "/");
    if (root !== undefined) throw unsupported(`a mount on ${root}, which would hide the container's whole root`);
  }
  const { process, mounts = [], hooks = {}, linux = {} } = configuration;
  const rules = linux.resources?.devices;
  const nodes = all.flatMap(({ deviceNodes }) =>
    deviceNodes.flatMap(({ path, hostPath, permissions }) => nodesOf(hostPath ?? path, permissions || "rwm")),
  );
  return {
    ...configuration,
    process: process && {
      ...process,
      env: withVariables(
        process.env ?? [],
        all.flatMap(({ env }) => env),
      ),
      user: withGroups(
        process.user,
        configuration,
        all.flatMap(({ additionalGids }) => additionalGids),
      ),
    },
    mounts: withMounts(mounts, all.flatMap(mountsOf)),
    hooks: withHooks(
      hooks,
      all.flatMap((edits) => edits.hooks),
    ),
    linux: {
      ...linux,
      // Only where there is a filter: elsewhere nobody can make nodes.
      ...(rules === undefined
        ? {}
        : {
            resources: { ...linux.resources, devices: [...rules, ...nodes.map((node) => ({ allow: true, ...node }))] },
          }),
    },
  };
}

function unsupported(what: string): BunkerError {
  return new BunkerError({
    code: "device_unsupported",
    operation: "use device",
    reason: `its specification asks for ${what}`,
  });
}

function withVariables(before: readonly string[], added: readonly string[]): readonly string[] {
  // An image's may lack the value.
  const nameOf = (entry: string) => entry.replace(/=.*/s, "");
  const variables = new Map([...before, ...added].map((entry) => [nameOf(entry), entry]));
  return [...variables.values()];
}

function withGroups(
  user: Process["user"],
  { linux, annotations }: Configuration,
  given: readonly number[],
): Process["user"] {
  // Root's group says nothing; as in CDI's own library.
  const added = given.filter((gid) => gid !== 0);
  if (added.length === 0) return user;
  const mappings = linux?.gidMappings;
  const unmapped = mappings && added.find((gid) => outerId(mappings, gid) === undefined);
  if (unmapped !== undefined || annotations?.[KEEP_GROUPS_ANNOTATION] !== undefined) {
    throw new BunkerError({
      code: "id_not_mapped",
      operation: "use device: give the group",
      object: String(unmapped ?? added[0]),
      reason:
        unmapped === undefined
          ? "with --group-add keep-groups a process has the caller's groups alone"
          : "the container's user namespace has no such id",
    });
  }
  return { ...user, additionalGids: [...new Set([...(user.additionalGids ?? []), ...added])] };
}

function mountsOf({ deviceNodes, mounts }: ContainerEdits): readonly Mount[] {
  return [
    ...deviceNodes.map(({ path, hostPath }) => ({
      destination: path,
      type: "bind",
      source: hostPath ?? path,
      options: ["rbind", "rprivate", "nosuid", "noexec"],
    })),
    ...mounts.map(({ hostPath, containerPath, type, options }): Mount => {
      const kind = type || "bind";
      if (kind !== "bind") return { destination: containerPath, type: kind, source: hostPath, options };
      const recursion = options.some((option) => option === "bind" || option === "rbind") ? [] : ["rbind"];
      const propagation = options.some((option) => PROPAGATION.test(option)) ? [] : ["rprivate"];
      return {
        destination: containerPath,
        type: kind,
        source: hostPath,
        options: [...recursion, ...propagation, ...options],
      };
    }),
  ];
}

/** Parents before children; container-mounts.ts. */
function withMounts(before: readonly Mount[], added: readonly Mount[]): readonly Mount[] {
  const places = new Map([...before, ...added].map((mount) => [mount.destination, mount]));
  const depth = ({ destination }: Mount) => destination.split("/").length;
  return [...places.values()].sort((one, other) => depth(one) - depth(other));
}

function withHooks(
  before: NonNullable<Configuration["hooks"]>,
  added: ContainerEdits["hooks"],
): Configuration["hooks"] {
  const hooks: { -readonly [Kind in keyof typeof before]?: readonly Hook[] | undefined } = { ...before };
  for (const { hookName, path, args, env, timeout } of added) {
    const hook = { path, args: args ?? undefined, env: env ?? undefined, timeout: timeout ?? undefined };
    hooks[hookName] = [...(hooks[hookName] ?? []), hook];
  }
  return hooks;
}
