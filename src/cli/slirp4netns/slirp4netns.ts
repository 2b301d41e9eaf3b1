/*
 * Bunker under the name slirp4netns: the network stack alone, for a namespace that another program has made. Podman and
 * RootlessKit start slirp4netns and are satisfied by its command line, its descriptors and its API socket.
 *
 * What is here reads the command line and opens the device; serve.ts serves, in the same process after another execve(2).
 */
import { openSync, statSync } from "node:fs";
import { formatAddress, version4Address, version4Mask } from "../../network/address.ts";
import { type JoinedNamespace, openTap } from "../../network/tap/open-tap.ts";
import { CloneFlag } from "../../sys/clone.ts";
import { Errno, errnoName } from "../../sys/errno.ts";
import { errnoOf } from "../../sys/error.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { servingEnvironment } from "../../sys/own-command.ts";
import { listenUnix } from "../../sys/socket.ts";
import { unlinkIfThere } from "../../sys/unlink-if-there.ts";
import { COMMIT, VERSION } from "../build.ts";
import { execute, ownExecutable } from "./execute.ts";
import { HELP, parseOptions, type SlirpOptions } from "./options.ts";
import { reportingErrors } from "./reporting-errors.ts";
import { descriptorsOf, type Service, servingWords } from "./service.ts";
import { SlirpError } from "./slirp-error.ts";

/** The version whose command line and API these are. */
const SLIRP4NETNS_VERSION = "1.2.0";
/**
 * Runs as slirp4netns.
 * @param words behind the program's name
 * @returns the exit status
 */
export function slirp4netns(words: readonly string[]): Promise<number> {
  return reportingErrors(async () => {
    const options = parseOptions(words);
    if (options === "help") console.log(HELP);
    else if (options === "version") {
      console.log(`slirp4netns version ${SLIRP4NETNS_VERSION}\ncommit: ${COMMIT}\nbunker: ${VERSION}`);
    } else await openAndServe(options);
  });
}

/** Opens what the host's files are needed for, and goes on as the process that serves. */
async function openAndServe(options: SlirpOptions): Promise<never> {
  const { exitDescriptor, readyDescriptor, seccomp, network, apiSocket } = options;
  const service: Service = {
    device: openDevice(options).number,
    name: options.device,
    network,
    apiListener: apiSocket === undefined ? undefined : listenForRequests(apiSocket).number,
    exitDescriptor,
    readyDescriptor,
    seccomp,
    sandbox: undefined,
  };
  announce(options);
  if (options.sandbox) return (await import("./sandbox.ts")).executeInSandbox(service);
  using executable = ownExecutable();
  const errno = execute(executable, {
    descriptors: descriptorsOf(service),
    words: servingWords(service),
    environment: servingEnvironment(),
  });
  throw new SlirpError(`cannot execute the network stack: ${errnoName(errno)}`);
}

function openDevice(options: SlirpOptions): FileDescriptor {
  using namespaces = new DisposableStack();
  const { configure, device, hardwareAddress, network } = options;
  const { ipv4, ipv6, mtu } = network;
  const addresses = ipv6 === undefined ? [ipv4] : [ipv4, ipv6];
  return openTap({
    name: device,
    namespaces: namespacesOf(options).map(({ path, type }) => {
      const descriptor = namespaces.use(openNamespace(path));
      return { descriptor: descriptor.number, type } satisfies JoinedNamespace;
    }),
    configuration: configure ? { mtu, hardwareAddress, addresses } : undefined,
  });
}

/** The namespaces to join: the user namespace only where it is another than ours. */
function namespacesOf({ target, targetType, userNamespace }: SlirpOptions): { path: string; type: number }[] {
  const network = { path: targetType === "pid" ? `/proc/${target}/ns/net` : target, type: CloneFlag.NEWNET };
  const user = userNamespace ?? (targetType === "pid" ? `/proc/${target}/ns/user` : undefined);
  if (user === undefined || isOwnNamespace(user)) return [network];
  return [{ path: user, type: CloneFlag.NEWUSER }, network];
}

function isOwnNamespace(path: string): boolean {
  try {
    return statSync(path).ino === statSync("/proc/self/ns/user").ino;
  } catch (error) {
    throw notOpened(path, error);
  }
}

function openNamespace(path: string): FileDescriptor {
  try {
    return new FileDescriptor(openSync(path, "r"));
  } catch (error) {
    throw notOpened(path, error);
  }
}

function notOpened(path: string, error: unknown): SlirpError {
  return new SlirpError(`${path}: ${errnoName(errnoOf(error) ?? Errno.EIO)}`);
}

function announce({ network }: SlirpOptions): void {
  const { ipv4, mtu, allowHostLoopback } = network;
  const mask = version4Mask(ipv4.prefixLength);
  const rows = [
    ["MTU", String(mtu)],
    ["Network", formatAddress(version4Address(ipv4.address[3] & mask))],
    ["Netmask", formatAddress(version4Address(mask))],
    ["Gateway", formatAddress(ipv4.gateway)],
    ["DNS", formatAddress(ipv4.dns)],
    ["Recommended IP", formatAddress(ipv4.address)],
  ] as const;
  console.log(["Starting slirp", ...rows.map(([name, value]) => `* ${`${name}:`.padEnd(17)}${value}`)].join("\n"));
  if (!allowHostLoopback) return;
  const gateway = formatAddress(ipv4.gateway);
  console.log(
    `WARNING: 127.0.0.1:* on the host is accessible as ${gateway} (set --disable-host-loopback to prohibit connecting to 127.0.0.1:*)`,
  );
}

function listenForRequests(path: string): FileDescriptor {
  // As slirp4netns, which leaves its socket behind and takes the place of another's.
  unlinkIfThere(path);
  return listenUnix(path);
}
