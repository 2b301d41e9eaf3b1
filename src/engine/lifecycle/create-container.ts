/*
 * A container comes into being: its directory, which this command locks, its root file system and config.json, and at
 * last its row, from which on others see it. What fails before that leaves nothing; what is killed before that leaves a
 * directory whose lock is free, and the next command that makes a container removes it.
 */

import { formatImageSource } from "../../image/image-source.ts";
import { formatPlatform, hostPlatform, isHostsOwn, type Platform } from "../../image/platform.ts";
import { relyOnImages } from "../../image/store/images-lock.ts";
import { parseAddress } from "../../network/address.ts";
import { type Configuration, formatConfiguration } from "../../runtime/configuration/configuration.ts";
import type { IdMap } from "../../runtime/id-map/id-mapping.ts";
import { runInUserNamespace } from "../../runtime/user-namespace-process.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { exists, makeDirectories, putSharedText, putText } from "../../sys/named-file.ts";
import { nodeFileSystem } from "../../sys/node-modules.ts";
import { resolvePath } from "../../sys/resolve-path.ts";
import { terminalSize } from "../attach/attachment.ts";
import { recordContainerEvent } from "../events/journal.ts";
import { healthCheckOf } from "../health/health-check.ts";
import { fetchImages } from "../images/fetch-images.ts";
import { type ImageRequest, openSource } from "../images/open-source.ts";
import type { PullHere } from "../images/pull-for-user.ts";
import type { ResolvedOptions } from "../namespaces/resolve-joined.ts";
import { containerLinks } from "../network/container-links.ts";
import { hostnameFile } from "../network/network-files.ts";
import { networkMode } from "../network/network-mode.ts";
import { egressOf, hostAddressesFor, planForwards, planNetwork } from "../network/network-plan.ts";
import type { Membership } from "../network/network-plan-schema.ts";
import { type NamedNetworks, namedNetworks, networkTexts } from "../network/network-texts.ts";
import { NO_DNS } from "../network/no-dns.ts";
import { ownershipOf, removeOwnedTree } from "../ownership.ts";
import { type ImageAccess, prepareImage, prepareRootFileSystem, rootMountOf } from "../root-file-system.ts";
import type { GivenSecrets } from "../secrets/give-secrets.ts";
import { containerArguments } from "../specification/container-command.ts";
import type { ContainerInput } from "../specification/container-input.ts";
import { containerSpecification } from "../specification/container-specification.ts";
import { hasDefaultSeccompFilter } from "../specification/default-seccomp-filter.ts";
import { readHostFacts } from "../specification/host-facts.ts";
import type { ImageConfiguration } from "../specification/image-configuration.ts";
import type { MountRequest, PlacedMount, PlacedRunOptions, RunOptions } from "../specification/run-options.ts";
import { shownConfiguration } from "../specification/shown-configuration.ts";
import { startsSystemd, withSystemd } from "../specification/system-container.ts";
import { readConfiguration } from "../state/container-configuration.ts";
import type { ContainerDefinition } from "../state/container-definition.ts";
import { makeContainerDirectory, newContainerId } from "../state/container-directory.ts";
import { containerDirectory } from "../state/container-lock.ts";
import { type Container, insertContainer, isNameTaken } from "../state/containers.ts";
import { deleteEndpoints, endpointsOfContainer } from "../state/networks.ts";
import { checkLabels } from "../volumes/check-labels.ts";
import { giveTo } from "../volumes/give-to.ts";
import type { MountingContainer, PlacedMounts } from "../volumes/place-mounts.ts";
import { releaseVolumes } from "../volumes/remove-volume.ts";
import type { BegunStart, UnfinishedContainer } from "./begin-start.ts";
import { chooseName } from "./choose-name.ts";
import { writeRequest } from "./creation-request.ts";
import { findContainer, lookUpContainer } from "./find-container.ts";
import { randomName } from "./random-name.ts";
import { cleanUp, removeContainer } from "./remove-container.ts";
import type { StartableContainer } from "./start-container.ts";

/** The files of a directory that stand for files of the image. */
function containerFiles(directory: string) {
  return { hosts: `${directory}/hosts`, hostname: `${directory}/hostname`, resolvConf: `${directory}/resolv.conf` };
}

function writeContainerFiles(
  directory: string,
  options: RunOptions,
  networks: NamedNetworks | undefined,
  hostname: string,
  imageHosts: () => string,
) {
  const files = containerFiles(directory);
  const { hosts, resolvConf } = networkTexts(options, networks, hostname);
  const { hostsBase = "none" } = options;
  const base = hostsBase === "none" ? "" : hostsBase === "image" ? imageHosts() : hostsBase.text;
  const put = (path: string, text: string) => putSharedText(path, text, 0o644);
  put(files.hosts, base === "" || base.endsWith("\n") ? base + hosts : `${base}\n${hosts}`);
  put(files.hostname, hostnameFile(hostname));
  put(files.resolvConf, resolvConf);
  return files;
}

/** Those of the engine's files that the container gets instead of the image's. */
function wantedFiles(
  { hosts, hostname, resolvConf }: ReturnType<typeof containerFiles>,
  { noHostname = false, noHosts = false, timeZone, networkSettings }: RunOptions,
  directory: string,
): ContainerInput["files"] {
  const localtime = timeZone === undefined ? undefined : `${directory}/localtime`;
  if (timeZone !== undefined && localtime !== undefined) nodeFileSystem().copyFileSync(timeZone, localtime);
  const isOwnResolver = networkSettings.dnsServers.includes(NO_DNS);
  return {
    hosts: noHosts ? undefined : hosts,
    hostname: noHostname ? undefined : hostname,
    resolvConf: isOwnResolver ? undefined : resolvConf,
    localtime,
  };
}

/** Removes the container that has a name, whatever it does. */
function replaceContainer(database: StateDatabase, data: string, name: string): void {
  if (isNameTaken(database, name)) {
    removeContainer(database, data, findContainer(database, data, name), { force: true, volumes: false });
  }
}

/** What is asked for, with the containers found whose namespaces are joined; few containers have need of that code. */
async function resolvedOptions(database: StateDatabase, data: string, given: RunOptions): Promise<ResolvedOptions> {
  const { pidNamespace, ipcNamespace, utsNamespace, cgroupNamespace, userNamespace, networkSettings } = given;
  const modes = [pidNamespace, ipcNamespace, utsNamespace, cgroupNamespace];
  const joins = modes.some((mode) => typeof mode !== "string") || userNamespace.kind === "joined";
  if (joins || networkSettings.joined !== undefined) {
    return (await import("../namespaces/resolve-joined.ts")).resolveJoined(database, data, given);
  }
  const nobody = { joined: undefined, networkOwner: undefined, hostnameOwner: undefined };
  return { options: given, meant: given, userNamespace, ...nobody };
}

/** The host name of a container. */
function hostnameOf(data: string, { id }: Container): string {
  return readConfiguration(data, id).hostname ?? id.slice(0, 12);
}

/** An image for another machine may run here, by an emulator; where nobody has asked for that it is said, as in Docker. */
function warnOfPlatform(
  wanted: string | undefined,
  found: Platform | undefined,
  onWarning: (message: string) => void,
): void {
  if (wanted !== undefined || found === undefined || found.architecture === "" || isHostsOwn(found)) return;
  const [images, own] = [formatPlatform(found), formatPlatform(hostPlatform())];
  onWarning(`the image's platform (${images}) does not match this machine's (${own}), and --platform was not given`);
}

/** Where ports cannot be published it is said, and the container is made, as in Docker. */
function warnOfPorts(
  options: RunOptions,
  networks: NamedNetworks | undefined,
  onWarning: (message: string) => void,
): void {
  const { published, publishAll } = options.networkSettings;
  if (networks?.outward !== undefined || (published.length === 0 && !publishAll)) return;
  const where =
    options.network === "shared" ? "networks that lead nowhere outside" : `--network ${networkMode(options)}`;
  onWarning(`no port is published with ${where}`);
}

/** Puts a container on the networks that users have made, and says what it is to have there. */
async function takePlaces(
  database: StateDatabase,
  data: string,
  id: string,
  { network, networkSettings }: RunOptions,
  exposedPorts: readonly string[],
): Promise<Membership | undefined> {
  if (network !== "shared") return undefined;
  const { takeEndpoints } = await import("../network/take-endpoints.ts");
  takeEndpoints(database, data, id, networkSettings.shared, 0, 125);
  const hostAddresses = hostAddressesFor(endpointsOfContainer(database, id));
  const resolvers = networkSettings.dnsServers.flatMap((text) => {
    const address = parseAddress(text);
    return address === undefined ? [] : [address];
  });
  return {
    forwards: planForwards(networkSettings, exposedPorts, hostAddresses),
    resolvers,
    egress: egressOf(networkSettings),
    shaping: networkSettings.shaping,
  };
}

/** Makes the directories that `-v` names as sources and that are not there, as Docker does. */
function makeMissingSources(mounts: readonly MountRequest[]): void {
  for (const mount of mounts) {
    if (mount.type !== "bind" || !mount.createSource || exists(mount.source)) continue;
    try {
      makeDirectories(mount.source, 0o777);
    } catch (error) {
      throw new BunkerError({
        code: "mount_source_missing",
        operation: `bind mount on ${mount.destination}: make directory`,
        object: mount.source,
        errno: errnoOf(error),
        hint: "Name a directory that is there, or one that you may make.",
      });
    }
  }
}

/** What is mounted; the code for volumes is loaded for those containers that have some. */
async function placedMounts(
  database: StateDatabase,
  data: string,
  options: RunOptions,
  container: Omit<MountingContainer, "imageVolumes">,
  { volumes = [] }: ImageConfiguration,
  onWarning: (message: string) => void,
): Promise<PlacedMounts> {
  const { imageVolumes: policy = "anonymous", mounts, volumesFrom } = options;
  const imageVolumes = policy === "ignore" ? [] : volumes.map((path) => resolvePath(path, "/"));
  if (mounts.length === 0 && volumesFrom.length === 0 && imageVolumes.length === 0) {
    return { mounts: [], mountPoints: [] };
  }
  const { placeMounts } = await import("../volumes/place-mounts.ts");
  return placeMounts(database, data, options, { ...container, imageVolumes }, onWarning);
}

/** `U` of mounts: gives their files to the user that the container's process is. */
function giveToUser(
  data: string,
  mounts: readonly PlacedMount[],
  user: Configuration["process"],
  map: IdMap | undefined,
  onWarning: (message: string) => void,
): void {
  for (const mount of mounts) {
    if (mount.type !== "bind" || !mount.givesToUser) continue;
    const { uid = 0, gid = 0 } = user?.user ?? {};
    // What is mounted is what a symbolic link leads to.
    const kept = giveTo(data, nodeFileSystem().realpathSync(mount.source), { uid, gid }, map);
    if (kept > 0)
      onWarning(`${mount.source}: ${kept} files are neither yours nor your containers', and keep their owners`);
  }
}

/** What it gets of secrets; the code for them is loaded for those containers that have some. */
async function givenSecrets(
  data: string,
  requests: RunOptions["secrets"],
  directory: string,
  map: IdMap | undefined,
): Promise<GivenSecrets> {
  if (requests === undefined || requests.length === 0) return { mounts: [], environment: [], shown: [] };
  const { giveSecrets } = await import("../secrets/give-secrets.ts");
  return giveSecrets(data, requests, directory, map);
}

/** What the making of a container calls back for. */
export interface CreationCallbacks {
  /** Receives what a user should know about and the container is made in spite of. */
  readonly onWarning: (message: string) => void;
  /** Pulls its image in this process, when that has to be. */
  readonly pullHere: PullHere;
}

/**
 * Makes a container, which the caller holds the lock of.
 * @param begin begins its start when its image is there, before the rest of it is made; not called for a container that
 * joins another one's namespaces
 * @throws BunkerError; nothing is left then
 */
export async function createContainer(
  database: StateDatabase,
  data: string,
  given: RunOptions,
  callbacks: CreationCallbacks,
  begin?: (container: UnfinishedContainer) => BegunStart | undefined,
): Promise<StartableContainer> {
  const { onWarning } = callbacks;
  const resolved = await resolvedOptions(database, data, given);
  const { options, networkOwner: owner, hostnameOwner } = resolved;
  const isUtsJoined = typeof resolved.meant.utsNamespace !== "string";
  const id = newContainerId();
  const ownership = ownershipOf(resolved.userNamespace, data);
  const { userNamespace } = ownership;
  ownership.warnings.forEach(onWarning);
  checkLabels(options.mounts);
  if (options.log.driver === "journald") (await import("../log/journal/journal-writer.ts")).checkJournal();
  // They are looked up again when it starts; that there are none is better told now.
  if (options.namedDevices !== undefined)
    (await import("../devices/find-devices.ts")).findDevices(options.namedDevices);
  makeMissingSources(options.mounts);
  const wantedImages = [options.image];
  for (const mount of options.mounts) if (mount.type === "image") wantedImages.push(mount.image);
  const store = await fetchImages(database, data, wantedImages, options, ownership, callbacks);
  cleanUp(database, data);
  // Unpacking is a large part of the program that a container whose image is there has no need of.
  const unpack = async (request: ImageRequest) => {
    // Made by the caller, who has to see what is there, also where the files in it will belong to others.
    for (const name of ["layers", "tmp"]) makeDirectories(`${ownership.store}/${name}`, 0o700);
    const work = { ...request, store: ownership.store, mapping: ownership.mapping };
    if (userNamespace !== undefined) runInUserNamespace(userNamespace, ["internal", "unpack", JSON.stringify(work)]);
    else await (await import("../images/unpack-image.ts")).unpackImage(work, onWarning);
  };
  const images: ImageAccess = { open: (request) => openSource(request, store), unpack };
  // Until the container is recorded nobody knows that it needs its layers.
  using _ = relyOnImages(data);
  const directory = containerDirectory(data, id);
  const lock = makeContainerDirectory(data, id);
  let begun: BegunStart | undefined;
  try {
    const place = { ...ownership, data, directory, ephemeral: options.remove, readOnly: options.readOnly };
    const root = await prepareRootFileSystem(options.image, options.platform, place, images);
    if (resolved.joined === undefined && owner === undefined) begun = begin?.({ id, lock, options, userNamespace });
    warnOfPlatform(options.platform, root.platform, onWarning);
    const facts = readHostFacts(options);
    const host = isUtsJoined ? { ...facts, hostname: hostnameOwner && hostnameOf(data, hostnameOwner) } : facts;
    if (options.replaces === true && options.name !== undefined) replaceContainer(database, data, options.name);
    const { mounts, mountPoints } = await placedMounts(
      database,
      data,
      options,
      {
        id,
        directory,
        root: root.plan,
        mapping: ownership.mapping,
        userNamespace,
        prepareImage: (image) => prepareImage(image, options.platform, place, images),
      },
      root.image,
      onWarning,
    );
    const secrets = await givenSecrets(data, options.secrets, directory, userNamespace);
    const sharedHostname = options.network === "host" || isUtsJoined ? host.hostname : undefined;
    const ownHostname = options.hostname ?? sharedHostname ?? id.slice(0, 12);
    const hostname = owner === undefined ? ownHostname : hostnameOf(data, owner);
    const exposedPorts = root.image.exposedPorts ?? [];
    const networkPlan = options.network === "slirp" ? planNetwork(options.networkSettings, exposedPorts) : undefined;
    const membership = await takePlaces(database, data, id, options, exposedPorts);
    const wanted = options.name;
    using chosen =
      wanted === undefined
        ? chooseName(database, data, randomName)
        : { name: wanted, [Symbol.dispose]: () => undefined };
    const { name } = chosen;
    const links = containerLinks(database, { id, name, hostname, definition: { networkPlan, membership } });
    const networks = links.length === 0 ? undefined : namedNetworks(links);
    warnOfPorts(options, networks, onWarning);
    const defaultFilter = hasDefaultSeccompFilter(options);
    const placed: PlacedRunOptions = {
      ...options,
      ...resolved.meant,
      mounts: [...mounts, ...secrets.mounts],
      environment: [...options.environment, ...secrets.environment],
      hostname: owner === undefined || options.utsNamespace !== "private" ? options.hostname : hostname,
    };
    const isSystem = startsSystemd(placed, root.image);
    const asked = isSystem ? withSystemd(placed) : placed;
    const input: ContainerInput = {
      id,
      options: asked,
      image: root.image,
      rootPath: rootMountOf(root.plan, place).path,
      passwdText: root.readFile("etc/passwd") ?? "",
      groupText: root.readFile("etc/group") ?? "",
      userNamespace,
      idShortage: ownership.idShortage,
      // The network of another container comes with the names and resolvers that it has there.
      files: wantedFiles(
        owner === undefined
          ? writeContainerFiles(directory, options, networks, hostname, () => root.readFile("etc/hosts") ?? "")
          : containerFiles(containerDirectory(data, owner.id)),
        options,
        directory,
      ),
      cgroupsPath: undefined,
      startsSystemd: isSystem,
      consoleSize: terminalSize(),
      // A filter that is compiled already need not be spelled out.
      resolveSeccomp: defaultFilter
        ? () => undefined
        : (await import("../specification/resolve-seccomp.ts")).resolveSeccomp,
      host,
      defaultUser: ownership.defaultUser,
    };
    const configuration = containerSpecification(input);
    giveToUser(data, mounts, configuration.process, userNamespace, onWarning);
    putText(`${directory}/config.json`, formatConfiguration(configuration), 0o600);
    // A login is for this pull; and what was to be replaced has been.
    writeRequest(data, id, { ...given, registry: {}, replaces: false });
    const definition: ContainerDefinition = {
      image: formatImageSource(options.image),
      imageId: root.imageId,
      command: [...containerArguments(options, root.image)],
      labels: { ...root.image.labels, ...options.labels },
      annotations: options.annotations,
      terminal: options.terminal,
      openInput: options.interactive,
      inputOnce: options.interactive && options.attached.input,
      init: options.init,
      cgroups: { mode: options.cgroups, parent: options.cgroupParent, isNeeded: isSystem },
      remove: options.remove,
      removesImage: options.removesImage === true ? true : undefined,
      defaultFilter,
      root: root.plan,
      mountPoints: [...mountPoints],
      stopSignal: asked.stopSignal ?? root.image.stopSignal,
      stopTimeout: options.stopTimeout,
      restart: options.restart,
      runTimeout: options.runTimeout,
      pidFile: options.pidFile,
      healthAction: options.healthAction,
      log: options.log,
      health: healthCheckOf(options.health, root.image.healthcheck, root.image.shell),
      network: networkMode(options),
      joined: resolved.joined,
      namedDevices: options.namedDevices,
      networkPlan,
      membership,
      shown: shownConfiguration({ id, options, image: root.image, secrets: secrets.shown }),
    };
    const container = { id, name, definition };
    // Who has the name may be about to be gone.
    if (options.name !== undefined) lookUpContainer(database, data, name);
    insertContainer(database, container);
    recordContainerEvent(data, "create", container);
    return { ...container, lock, configuration, begun };
  } catch (error) {
    begun?.[Symbol.dispose]();
    removeOwnedTree(directory, () => userNamespace);
    releaseVolumes(database, data, id, true);
    deleteEndpoints(database, id);
    lock[Symbol.dispose]();
    throw error;
  }
}
