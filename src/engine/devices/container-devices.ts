/*
 * Devices of the Container Device Interface are looked up at each start, because their specifications change with the
 * host: a driver's new version has other files, and the machine's start writes them anew. So what the container was made
 * with is kept beside its config.json, which at each start becomes that with what the devices need. Whoever looks at a
 * container or executes something in it sees the latter, as of any container.
 */
import { type Configuration, parseConfiguration } from "../../runtime/configuration/configuration.ts";
import { runLateHooks } from "../../runtime/late-hooks.ts";
import { OCI_VERSION } from "../../runtime/state.ts";
import { BunkerError } from "../../sys/error.ts";
import { exists, readText, statusIfThere } from "../../sys/named-file.ts";
import { FileMode, type FileStatus } from "../../sys/stat.ts";
import { deviceNodes } from "../specification/host-devices.ts";
import { readConfiguration } from "../state/container-configuration.ts";
import type { ContainerDefinition } from "../state/container-definition.ts";
import { containerDirectory } from "../state/container-lock.ts";
import { replaceConfiguration } from "../state/replace-configuration.ts";
import { applyEdits } from "./apply-edits.ts";
import type { ContainerEdits } from "./device-specification.ts";
import { findDevices } from "./find-devices.ts";

/** A container with devices. */
interface DeviceContainer {
  readonly id: string;
  readonly configuration: Configuration;
  readonly definition: Pick<ContainerDefinition, "namedDevices">;
}

/** Seconds that a hook gets which does not say how long it may take. */
const LONGEST_HOOK = 60;

type Node = ContainerEdits["deviceNodes"][number];

/**
 * Gives a container that is about to start what its devices need, by what is said of them now.
 * @returns it with what is its config.json then
 * @throws BunkerError `device_not_found`, `device_ambiguous`, `device_missing`, `device_unsupported`, `id_not_mapped`
 */
export function withDevices<Some extends DeviceContainer>(
  data: string,
  container: Some,
  onWarning: ((message: string) => void) | undefined,
): Some {
  const { id, configuration, definition } = container;
  const { namedDevices } = definition;
  if (namedDevices === undefined) return container;
  const directory = containerDirectory(data, id);
  const bare = withoutDevices(`${directory}/config-without-devices.json`, configuration);
  const edits = findDevices(namedDevices);
  for (const node of edits.flatMap((edit) => edit.deviceNodes)) checkNode(node, bare, onWarning);
  const nodesOf = (hostPath: string, permissions: string) => deviceNodes({ hostPath, permissions });
  const changed = applyEdits(bare, edits, nodesOf);
  replaceConfiguration(`${directory}/config.json`, changed);
  return { ...container, configuration: changed };
}

/**
 * Runs the hooks that a container's devices want after it has started. One that fails is a warning.
 * @param pid of its first process
 */
export function runPoststartHooks(
  data: string,
  id: string,
  pid: number,
  onWarning: (message: string) => void = () => {},
): void {
  const { hooks, annotations } = readConfiguration(data, id);
  const bundle = containerDirectory(data, id);
  const state = { ociVersion: OCI_VERSION, id, status: "running", pid, bundle, annotations } as const;
  runLateHooks(hooks?.poststart, state, onWarning);
}

/**
 * Runs the hooks that a container's devices want after it has ended. Until they have, its end is not known, or nobody can
 * start or remove it; so one without a timeout of its own gets one.
 * @param longest seconds that a hook without a timeout may take
 * @returns what failed; it keeps none of the others from running
 */
export function runPoststopHooks(data: string, id: string, longest = LONGEST_HOOK): readonly string[] {
  const failures: string[] = [];
  try {
    const { hooks, annotations } = readConfiguration(data, id);
    const bundle = containerDirectory(data, id);
    runLateHooks(
      hooks?.poststop?.map((hook) => ({ ...hook, timeout: hook.timeout ?? longest })),
      { ociVersion: OCI_VERSION, id, status: "stopped", pid: undefined, bundle, annotations },
      (failure) => failures.push(failure),
    );
  } catch (error) {
    failures.push(`run the hooks of its devices: ${error instanceof Error ? error.message : String(error)}`);
  }
  return failures;
}

/** What the container was made with, and the limits that it has now. */
function withoutDevices(path: string, configuration: Configuration): Configuration {
  if (!exists(path)) {
    replaceConfiguration(path, configuration);
    return configuration;
  }
  const bare = parseConfiguration(readText(path), path);
  const { resources } = configuration.linux ?? {};
  if (resources === undefined) return bare;
  return { ...bare, linux: { ...bare.linux, resources: { ...resources, devices: bare.linux?.resources?.devices } } };
}

/** A node is bound as it is on the host: what its specification says beyond that is told. */
function checkNode(node: Node, { linux }: Configuration, onWarning: ((message: string) => void) | undefined): void {
  const { path, hostPath, permissions } = node;
  const source = hostPath ?? path;
  const status = statusIfThere(source);
  if (status === undefined) {
    throw new BunkerError({
      code: "device_missing",
      operation: "use device",
      object: source,
      reason: "its CDI specification names it, and the host has no such file",
      hint: "The specification may be older than the device's driver; write it anew.",
    });
  }
  if (linux?.resources?.devices === undefined && permissions && !/r.*w|w.*r/.test(permissions)) {
    onWarning?.(
      `device ${source}: permissions "${permissions}" cannot be enforced without root; the host's own decide`,
    );
  }
  if (!isAsSaid(node, status)) onWarning?.(`device ${source} keeps the owner and mode that it has on the host`);
}

function isAsSaid({ fileMode, uid, gid }: Node, status: FileStatus): boolean {
  return (
    (fileMode == null || (fileMode & 0o777) === (status.mode & FileMode.permissions & 0o777)) &&
    (uid == null || uid === status.uid) &&
    (gid == null || gid === status.gid)
  );
}
