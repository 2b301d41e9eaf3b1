import { parseDetachKeys } from "../engine/attach/detach-keys.ts";
import type { CreationCallbacks } from "../engine/lifecycle/create-container.ts";
import { namespaceMode } from "../engine/namespaces/namespace-mode.ts";
import type { MountRequest, RunOptions } from "../engine/specification/run-options.ts";
import { formatImageSource, type ImageSource, parseImageSource } from "../image/image-source.ts";
import { endProcess } from "../sys/end-process.ts";
import { BunkerError } from "../sys/error.ts";
import { defineCommand } from "./command.ts";
import { detachKeysOption, preservedDescriptorsOption, signalProxyOption } from "./container/life-options.ts";
import { healthOf } from "./health-options.ts";
import { contentTrustUnknown } from "./image/content-trust-option.ts";
import { networkingOf } from "./network-settings.ts";
import { flag } from "./option.ts";
import { type OptionValues, parseValue } from "./option-table.ts";
import { podmanSettings } from "./podman-run-options.ts";
import { print } from "./print.ts";
import { resourcesOf } from "./resource-options.ts";
import { runOptionsTable } from "./run-options-table.ts";
import { logConfigurationOf } from "./values/life-values.ts";
import { parseRootfs } from "./values/rootfs-operand.ts";
import { securityOptionsOf } from "./values/security-options.ts";

type RunOptionValues = OptionValues<typeof runOptionsTable>;

const DEFAULT_SHARED_MEMORY_SIZE = 64 * 1024 * 1024;

const attachedRunOptions = {
  ...runOptionsTable,
  detach: flag({ name: "detach", short: "d", description: "Run it in the background and print its id" }),
  detachKeys: detachKeysOption,
  signalProxy: signalProxyOption,
  preservedDescriptors: preservedDescriptorsOption,
} as const;

/** `bunker run`. */
export const run = defineCommand(
  {
    options: attachedRunOptions,
    isBrief: true,
    required: ["IMAGE"],
    optional: "[COMMAND] [ARG...]",
    stopAtFirstOperand: true,
  },
  async ({
    options: { detach, detachKeys, signalProxy, preservedDescriptors, ...options },
    operands: [operand, ...command],
  }) => {
    if (detach && options.attach.length > 0) throw conflict("--attach and --detach");
    const image = options.rootfs ? parseRootfs(operand) : parseImageSource(operand);
    const given = await runOptionsOf(options, image, command);
    // Somebody may attach to its input later, and leave again.
    const request = detach ? { ...given, attached: { input: false, output: false, error: false } } : given;
    const { runContainer, runDetached } = await import("../engine/run.ts");
    const callbacks = await creationCallbacks();
    const onCreated = await idFileWriter(options.idFile);
    if (detach) {
      print(await runDetached(request, { onCreated, preservedDescriptors }, callbacks));
      return 0;
    }
    const keys = parseDetachKeys(detachKeys);
    const attachment = {
      detachKeys: keys,
      proxiesSignals: signalProxy,
      onCreated,
      preservedDescriptors,
      leave: endProcess,
    };
    return runContainer(request, attachment, callbacks);
  },
);

/** What the making of a container calls back for. */
export async function creationCallbacks(): Promise<CreationCallbacks> {
  const { warning } = await import("./messages.ts");
  return { onWarning: warning, pullHere: async (pull) => (await import("./progress/pull-here.ts")).pullHere(pull) };
}

function conflict(options: string): BunkerError {
  return new BunkerError({ code: "conflicting_options", operation: `conflicting options: ${options}` });
}

/**
 * Makes the writer of `--cidfile`; the file must not be there.
 * @throws BunkerError `id_file_exists`
 */
export async function idFileWriter(path: string | undefined): Promise<(id: string) => void> {
  if (path === undefined) return () => {};
  const { writeIdFile } = await import("./container/id-file.ts");
  return writeIdFile(path);
}

/**
 * Puts together what was asked for, with the files that options name read in. Each setting is named, since copies of all
 * options but some take longer than all that is done with them.
 * @param options as given on the command line
 * @param image where the root file system comes from
 * @param command the words behind the image
 * @returns all settings, so that none of a new option is forgotten
 * @throws BunkerError when a file cannot be read or two mounts have one destination
 */
export async function runOptionsOf(
  options: RunOptionValues,
  image: ImageSource,
  command: readonly string[],
): Promise<Required<RunOptions>> {
  const { remove, platform, registry, environmentRules, hostsBase } = podmanSettings(options);
  const { network, networkSettings } = networkingOf(options);
  if (!options.disableContentTrust) throw contentTrustUnknown("use image", formatImageSource(image));
  const health = healthOf(options);
  const resources = resourcesOf(options);
  if (remove && options.restart.name !== "no") throw conflict("--restart and --rm");
  const mounts = [...options.volumes, ...options.mounts, ...options.tmpfsMounts];
  checkDestinations(mounts);
  const hasImages = image.kind !== "rootfs" || mounts.some(({ type }) => type === "image");
  if (platform !== undefined && !hasImages) throw conflict("--platform and --rootfs");
  const { deviceRules, devices, entrypoint } = options;
  return {
    image,
    pull: options.pull,
    quiet: options.quiet,
    command,
    entrypoint: entrypoint === undefined ? undefined : entrypointWords(entrypoint),
    interactive: options.interactive,
    terminal: options.terminal,
    environment: [
      ...(await readEnvironmentFiles(options.environmentFiles)),
      ...options.environment.filter((entry) => entry !== undefined),
    ],
    environmentRules,
    mounts,
    imageVolumes: options.imageVolumes,
    volumesFrom: options.volumesFrom,
    workingDirectory: options.workingDirectory,
    user: options.user,
    additionalGroups: options.additionalGroups,
    hostname: options.hostname,
    noHostname: options.noHostname,
    noHosts: options.noHosts,
    hostsBase,
    chrootDirectories: options.chrootDirectories,
    domainname: options.domainname,
    readOnly: options.readOnly,
    readOnlyTmpfs: options.readOnlyTmpfs,
    remove,
    removesImage: options.removesImage,
    personality: options.personality,
    labels: recordOf([...(await readLabelFiles(options.labelFiles)), ...options.labels]),
    annotations: recordOf(options.annotations),
    restart: options.restart,
    runTimeout: options.runTimeout,
    pidFile: options.pidFile,
    stopSignal: options.stopSignal,
    stopTimeout: options.stopTimeout,
    health,
    healthAction: options.healthAction,
    log: logConfigurationOf(options.logDriver, options.logOptions),
    attached: attachedStreams(options.attach, options.interactive),
    name: options.name,
    replaces: options.replaces,
    init: options.init,
    capabilitiesAdded: options.capabilitiesAdded,
    capabilitiesDropped: options.capabilitiesDropped,
    security: await securityOptionsOf(options.security),
    privileged: options.privileged,
    pidNamespace: options.pidNamespace,
    ipcNamespace: options.ipcNamespace,
    utsNamespace: options.utsNamespace,
    cgroupNamespace: options.cgroupNamespace,
    cgroups: options.cgroups,
    systemd: options.systemd,
    cgroupParent: options.cgroupParent,
    userNamespace: options.userNamespace,
    network,
    networkSettings,
    sharedMemorySize: sharedMemorySize(options),
    resourceLimits: lastOfEachType(options.resourceLimits),
    resources: deviceRules.length === 0 ? resources : { ...resources, devices: deviceRules },
    sysctls: recordOf(options.sysctls),
    oomScoreAdjustment: options.oomScoreAdjustment,
    devices: devices.filter((device) => "hostPath" in device),
    namedDevices: await namedDevices(devices, options.gpus, options.deviceDirectories),
    secrets: await secretsOf(options.secrets),
    registry,
    timeZone: options.timeZone,
    umask: options.umask,
    platform,
    debugLaunch: options.debugLaunch,
  };
}

/** Of pairs, the later of two with one name. What nobody has asked for is not made: the methods for it take 0.2 ms. */
function recordOf<Value>(pairs: readonly (readonly [string, Value])[]): Readonly<Record<string, Value>> {
  return pairs.length === 0 ? {} : Object.fromEntries(pairs);
}

function lastOfEachType(limits: RunOptionValues["resourceLimits"]): RunOptions["resourceLimits"] {
  return limits.length < 2 ? limits : [...new Map(limits.map((limit) => [limit.type, limit])).values()];
}

/** Who has no shared memory of its own cannot choose its size. */
function sharedMemorySize({
  sharedMemorySize: size,
  ipcNamespace,
}: Pick<RunOptionValues, "sharedMemorySize" | "ipcNamespace">): number {
  // As with Docker, none at all is as if nothing were said.
  if (size === undefined || size === 0) return DEFAULT_SHARED_MEMORY_SIZE;
  const isOwn =
    typeof ipcNamespace === "string"
      ? ipcNamespace !== "host" && ipcNamespace !== "none"
      : ipcNamespace.kind !== "container";
  if (isOwn) return size;
  throw conflict(`--shm-size and --ipc=${namespaceMode(ipcNamespace)}`);
}

/** Podman takes several words as a list in JSON. */
function entrypointWords(text: string): readonly string[] {
  if (text === "") return [];
  if (!text.startsWith("[")) return [text];
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words) && words.every((word) => typeof word === "string")) return words;
  } catch {
    // It is the name of a program then.
  }
  return [text];
}

/** What `--attach` names; without it the outputs, and the input of `-i`. */
function attachedStreams(attach: RunOptionValues["attach"], interactive: boolean): RunOptions["attached"] {
  if (attach.length === 0) return { input: interactive, output: true, error: true };
  return { input: attach.includes("stdin"), output: attach.includes("stdout"), error: attach.includes("stderr") };
}

async function secretsOf(texts: readonly string[]): Promise<NonNullable<RunOptions["secrets"]>> {
  if (texts.length === 0) return [];
  const { parseContainerSecret: parse } = await import("./values/container-secret-option.ts");
  return texts.map((text) => parseValue({ name: "secret", parse }, text));
}

/** The devices that are not paths; few containers have need of that code. */
async function namedDevices(
  devices: RunOptionValues["devices"],
  gpus: readonly string[],
  directories: readonly string[],
): Promise<RunOptions["namedDevices"]> {
  const names: string[] = [];
  for (const device of devices) if ("name" in device) names.push(device.name);
  if (names.length + gpus.length === 0) return undefined;
  const { namedDevicesOf } = await import("./values/named-devices.ts");
  return namedDevicesOf(names, gpus, directories);
}

async function readLabelFiles(paths: readonly string[]): Promise<readonly (readonly [string, string])[]> {
  if (paths.length === 0) return [];
  const { readLabelFile } = await import("./values/label-file.ts");
  return paths.flatMap(readLabelFile);
}

async function readEnvironmentFiles(paths: readonly string[]): Promise<readonly string[]> {
  if (paths.length === 0) return [];
  const { readEnvironmentFile } = await import("./values/environment-file.ts");
  return paths.flatMap(readEnvironmentFile);
}

function checkDestinations(mounts: readonly MountRequest[]): void {
  const seen = new Set<string>();
  for (const { destination } of mounts) {
    if (seen.has(destination)) {
      throw new BunkerError({ code: "duplicate_mount", operation: `two mounts have the destination ${destination}` });
    }
    seen.add(destination);
  }
}
