/*
 * `run` in the foreground: this process prepares the root file system and the configuration, launches the container and
 * stays with it as its only supervisor, until it ends. If it is killed, the kernel kills the container's first process
 * (and with its pid namespace all others), and what is left on disk is found by its free lock; see container-directory.ts.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { formatImageSource } from "../image/image-source.ts";
import { memfdWithContainerInit } from "../launch/container-init.ts";
import { formatConfiguration } from "../runtime/configuration/configuration.ts";
import { launchContainer } from "../runtime/launch-container.ts";
import { Orphans } from "../runtime/orphans.ts";
import { defaultProfile } from "../runtime/seccomp/default-profile.ts";
import { parseProfile } from "../runtime/seccomp/profile.ts";
import { resolveProfile } from "../runtime/seccomp/resolve-profile.ts";
import { runInUserNamespace } from "../runtime/user-namespace-process.ts";
import { hostArchitecture } from "../sys/architecture.ts";
import { BunkerError, errnoOf } from "../sys/error.ts";
import { readIfThere } from "../sys/read-if-there.ts";
import { attach, checkTerminal, makeStreams, receiveSignals, terminalSize } from "./attachment.ts";
import { makeContainerDirectory, newContainerId } from "./container-directory.ts";
import { writeContainerRecord } from "./container-record.ts";
import { type ContainerInput, containerSpecification } from "./container-specification.ts";
import { dataDirectory } from "./data-directory.ts";
import { defaultSeccompFilter, hasDefaultSeccompFilter } from "./default-seccomp-filter.ts";
import { readHostFacts } from "./host-facts.ts";
import { hostnameFile, hostsFile, resolverFile } from "./network-files.ts";
import type { ImageRequest } from "./open-source.ts";
import { ownershipOf, removeOwnedTree } from "./ownership.ts";
import { fetchImage, type PullHere } from "./pull-for-user.ts";
import { prepareRootFileSystem } from "./root-file-system.ts";
import type { MountRequest, RunOptions } from "./run-options.ts";

function writeContainerFiles(directory: string, options: RunOptions, hostname: string) {
  const host = options.network === "host";
  const files = {
    hosts: `${directory}/hosts`,
    hostname: `${directory}/hostname`,
    resolvConf: `${directory}/resolv.conf`,
  };
  const resolver = readIfThere("/etc/resolv.conf") ?? "";
  writeFileSync(files.hosts, host ? (readIfThere("/etc/hosts") ?? "") : hostsFile([]));
  writeFileSync(files.hostname, hostnameFile(hostname));
  writeFileSync(files.resolvConf, host ? resolver : resolverFile(resolver));
  return files;
}

const resolveSeccomp: ContainerInput["resolveSeccomp"] = (profileJson, capabilities) =>
  resolveProfile(profileJson === undefined ? defaultProfile() : parseProfile(profileJson), {
    architecture: hostArchitecture(),
    capabilities,
    kernelVersion: release(),
  });

/**
 * `z` and `Z` of `-v` ask for another SELinux label of the source. Where there is no SELinux there is nothing to do.
 * @throws BunkerError `cannot_relabel` where there is
 */
function checkLabels(mounts: readonly MountRequest[]): void {
  const asking = mounts.find((mount) => mount.type === "bind" && mount.relabel !== undefined);
  if (asking?.type !== "bind" || !existsSync("/sys/fs/selinux/enforce")) return;
  throw new BunkerError({
    code: "cannot_relabel",
    operation: "relabel",
    object: asking.source,
    reason: "Bunker changes no SELinux labels",
    hint: `label it yourself: chcon -R -t container_file_t ${asking.source}; and leave z and Z out`,
  });
}

/** Makes the directories that `-v` names as sources and that are not there, as Docker does. */
function makeMissingSources(mounts: readonly MountRequest[]): void {
  for (const mount of mounts) {
    if (mount.type !== "bind" || !mount.createSource || existsSync(mount.source)) continue;
    try {
      mkdirSync(mount.source, { recursive: true });
    } catch (error) {
      throw new BunkerError({
        code: "mount_source_missing",
        operation: `bind mount on ${mount.destination}: make directory`,
        object: mount.source,
        errno: errnoOf(error),
      });
    }
  }
}

/**
 * Runs a container in the foreground.
 * @param onWarning receives what a user should know about and the container runs in spite of
 * @param pullHere pulls its image in this process, when that has to be
 * @returns its exit status; 128 plus the signal's number if it was killed
 * @throws BunkerError
 */
export async function runContainer(
  options: RunOptions,
  onWarning: (message: string) => void,
  pullHere: PullHere,
): Promise<number> {
  checkTerminal(options);
  const id = newContainerId();
  const data = dataDirectory();
  const ownership = ownershipOf(options.userNamespace, data);
  const { userNamespace } = ownership;
  ownership.warnings.forEach(onWarning);
  const remove = (path: string) => removeOwnedTree(path, userNamespace);
  checkLabels(options.mounts);
  makeMissingSources(options.mounts);
  await fetchImage(options, ownership, data, pullHere);
  using directory = makeContainerDirectory(data, id, { name: options.name, ephemeral: options.remove }, remove);
  const unpack = (request: ImageRequest) => {
    // Made by the caller, who has to see what is there, also where the files in it will belong to others.
    for (const name of ["layers", "tmp"]) mkdirSync(`${ownership.store}/${name}`, { recursive: true, mode: 0o700 });
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
      readOnly: options.readOnly,
    },
    unpack,
  );
  await Promise.all(unpackings);

  const record = {
    id,
    name: options.name,
    image: formatImageSource(options.image),
    command: options.command.slice(),
    created: Date.now(),
  };
  writeContainerRecord(directory.path, record);

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
    idShortage: ownership.idShortage,
    files: writeContainerFiles(directory.path, options, hostname),
    cgroupsPath: undefined,
    consoleSize: terminalSize(),
    // A filter that is compiled already need not be spelled out, except in the file of a container that stays.
    resolveSeccomp: defaultFilter !== undefined && options.remove ? () => undefined : resolveSeccomp,
    host,
    defaultUser: ownership.defaultUser,
  });
  if (!options.remove) writeFileSync(`${directory.path}/config.json`, formatConfiguration(configuration));

  // Until now a signal has ended this process, as it should; from here on signals are the container's.
  using signals = receiveSignals();
  using orphans = options.pidNamespace === "private" ? undefined : new Orphans();
  const streams = options.terminal ? undefined : makeStreams(options.interactive);
  using init = options.init ? memfdWithContainerInit() : undefined;
  using container = launchContainer({
    id,
    configuration,
    bundle: directory.path,
    mountRoot: root.mount,
    mountRootSize: root.mountSize,
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
    orphans,
  });
  const exitStatus = "exitCode" in end ? end.exitCode : 128 + end.signal;
  if (!options.remove) writeContainerRecord(directory.path, { ...record, finished: Date.now(), exitStatus });
  return exitStatus;
}
