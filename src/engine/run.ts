/*
 * `run` in the foreground: this process prepares the root file system and the configuration, launches the container and
 * stays with it as its only supervisor, until it ends. If it is killed, the kernel kills the container's first process
 * (and with its pid namespace all others), and what is left on disk is found by its free lock; see container-directory.ts.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import type { LayerMapping } from "../image/layers/layer-directory.ts";
import { memfdWithContainerInit } from "../launch/container-init.ts";
import { formatConfiguration } from "../runtime/configuration/configuration.ts";
import { callersIdMap } from "../runtime/id-map/callers-id-map.ts";
import type { IdMap } from "../runtime/id-map/id-mapping.ts";
import { keepIdMap } from "../runtime/id-map/keep-id-map.ts";
import { isPrivileged } from "../runtime/id-map/write-id-map.ts";
import { launchContainer } from "../runtime/launch-container.ts";
import { defaultProfile } from "../runtime/seccomp/default-profile.ts";
import { parseProfile } from "../runtime/seccomp/profile.ts";
import { resolveProfile } from "../runtime/seccomp/resolve-profile.ts";
import { runInUserNamespace } from "../runtime/user-namespace-process.ts";
import { hostArchitecture } from "../sys/architecture.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { attach, checkTerminal, makeStreams, receiveSignals, terminalSize } from "./attachment.ts";
import { makeContainerDirectory, newContainerId } from "./container-directory.ts";
import { type ContainerInput, containerSpecification } from "./container-specification.ts";
import { dataDirectory } from "./data-directory.ts";
import { defaultSeccompFilter, hasDefaultSeccompFilter } from "./default-seccomp-filter.ts";
import { readHostFacts } from "./host-facts.ts";
import { hostnameFile, hostsFile, resolverFile } from "./network-files.ts";
import { type ImageRequest, prepareRootFileSystem } from "./root-file-system.ts";
import type { RunOptions } from "./run-options.ts";

/** The user namespace of a container, and how the store keeps files for it. */
interface Ownership {
  /** undefined stays in the present user namespace. */
  readonly userNamespace: IdMap | undefined;
  readonly mapping: LayerMapping;
  /** The store of unpacked layers whose files have the owners that this namespace shows. */
  readonly store: string;
  /** Who runs when neither the user nor the image says it; empty is root. */
  readonly defaultUser: string;
}

const ALL_IDS = { containerID: 0, hostID: 0, size: 4294967295 };

function ownershipOf(options: RunOptions, data: string): Ownership {
  const { userNamespace: mode } = options;
  const privileged = isPrivileged();
  const own = privileged ? { uidMappings: [ALL_IDS], gidMappings: [ALL_IDS] } : callersIdMap();
  const mapping = "kind" in own && own.kind === "single" ? "single" : "full";
  if (mode.kind !== "keep-id")
    return { userNamespace: privileged ? undefined : own, mapping, store: data, defaultUser: "" };
  const wanted = { uid: mode.uid ?? process.geteuid?.() ?? 0, gid: mode.gid ?? process.getegid?.() ?? 0 };
  const kept = keepIdMap(own, wanted);
  // The files of a layer have owners for one map only; another map needs another copy.
  return {
    userNamespace: kept,
    mapping,
    store: `${data}/keep-id/${wanted.uid}-${wanted.gid}`,
    defaultUser: `${wanted.uid}:${wanted.gid}`,
  };
}

function remover(userNamespace: IdMap | undefined): (path: string) => void {
  return (path) => {
    try {
      removeTree(path);
    } catch (error) {
      const isDenied = error instanceof BunkerError && (error.errno === Errno.EACCES || error.errno === Errno.EPERM);
      if (!isDenied || userNamespace === undefined) throw error;
      runInUserNamespace(userNamespace, ["internal", "remove", path]);
    }
  };
}

function writeContainerFiles(directory: string, options: RunOptions, hostname: string) {
  const host = options.network === "host";
  const files = {
    hosts: `${directory}/hosts`,
    hostname: `${directory}/hostname`,
    resolvConf: `${directory}/resolv.conf`,
  };
  const resolver = readIfThere("/etc/resolv.conf");
  writeFileSync(files.hosts, host ? readIfThere("/etc/hosts") : hostsFile([]));
  writeFileSync(files.hostname, hostnameFile(hostname));
  writeFileSync(files.resolvConf, host ? resolver : resolverFile(resolver));
  return files;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

const resolveSeccomp: ContainerInput["resolveSeccomp"] = (profileJson, capabilities) =>
  resolveProfile(profileJson === undefined ? defaultProfile() : parseProfile(profileJson), {
    architecture: hostArchitecture(),
    capabilities,
    kernelVersion: release(),
  });

/**
 * Runs a container in the foreground.
 * @param onWarning receives what a user should know about and the container runs in spite of
 * @returns its exit status; 128 plus the signal's number if it was killed
 * @throws BunkerError
 */
export async function runContainer(options: RunOptions, onWarning: (message: string) => void): Promise<number> {
  checkTerminal(options);
  const id = newContainerId();
  const data = dataDirectory();
  const ownership = ownershipOf(options, data);
  const { userNamespace } = ownership;
  const remove = remover(userNamespace);
  using signals = receiveSignals();
  using directory = makeContainerDirectory(data, id, { name: options.name, ephemeral: options.remove }, remove);
  const unpack = (request: ImageRequest) => {
    const work = { ...request, store: ownership.store, mapping: ownership.mapping };
    if (userNamespace !== undefined) runInUserNamespace(userNamespace, ["internal", "unpack", JSON.stringify(work)]);
    else unpackings.push(import("./unpack-image.ts").then(({ unpackImage }) => unpackImage(work, onWarning)));
  };
  // Unpacking is a large part of the program that a container whose image is there has no need of.
  const unpackings: Promise<void>[] = [];
  const root = prepareRootFileSystem(
    options.image,
    options.platform,
    {
      ...ownership,
      data,
      directory: directory.path,
      ephemeral: options.remove,
    },
    unpack,
  );
  await Promise.all(unpackings);

  const host = readHostFacts(options);
  const hostname = options.hostname ?? (options.network === "host" ? host.hostname : id.slice(0, 12));
  const defaultFilter = hasDefaultSeccompFilter(options) ? defaultSeccompFilter() : undefined;
  const configuration = containerSpecification({
    id,
    options,
    image: root.image,
    rootPath: root.path,
    passwdText: root.readFile("etc/passwd") ?? "",
    groupText: root.readFile("etc/group") ?? "",
    userNamespace,
    files: writeContainerFiles(directory.path, options, hostname),
    cgroupsPath: undefined,
    consoleSize: terminalSize(),
    // A filter that is compiled already need not be spelled out, except in the file of a container that stays.
    resolveSeccomp: defaultFilter !== undefined && options.remove ? () => undefined : resolveSeccomp,
    host,
    defaultUser: ownership.defaultUser,
  });
  if (!options.remove) writeFileSync(`${directory.path}/config.json`, formatConfiguration(configuration));

  const streams = options.terminal ? undefined : makeStreams(options.interactive);
  using init = options.init ? memfdWithContainerInit() : undefined;
  using container = launchContainer({
    id,
    configuration,
    bundle: directory.path,
    mountRoot: root.mount,
    standardStreams:
      streams === undefined ? undefined : [streams.inner[0].number, streams.inner[1].number, streams.inner[2].number],
    init: init?.number,
    seccomp: defaultFilter,
    dieWithParent: true,
    // The default profile names calls of every architecture; only a user's own profile deserves a word about them.
    onWarning: options.security.seccomp === undefined ? undefined : onWarning,
    onProgram: options.debugLaunch ? (program) => process.stderr.write(`${program.describe()}\n`) : undefined,
  });
  for (const end of streams?.inner ?? []) end.close();
  const end = attach(container, signals, streams, {
    interactive: options.interactive,
    whole: options.pidNamespace === "private",
  });
  return "exitCode" in end ? end.exitCode : 128 + end.signal;
}
