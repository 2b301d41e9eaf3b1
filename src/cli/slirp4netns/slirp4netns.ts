/*
 * Bunker under the name slirp4netns: the network stack alone, for a namespace that another program has made. Podman and
 * RootlessKit start slirp4netns and are satisfied by its command line, its descriptors and its API socket.
 *
 * It runs until its exit descriptor says so, its device is deleted, or a signal kills it; there is nothing to clean up that
 * the kernel does not.
 */
import { closeSync, openSync, statSync, writeSync } from "node:fs";
import { formatAddress, version4Address, version4Mask } from "../../network/address.ts";
import { Stack } from "../../network/stack.ts";
import { type JoinedNamespace, openTap } from "../../network/tap/open-tap.ts";
import { CloneFlag } from "../../sys/clone.ts";
import { Errno, errnoName } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { receive } from "../../sys/internet-socket.ts";
import { allocate, type Memory } from "../../sys/memory.ts";
import { Event, Reactor } from "../../sys/reactor.ts";
import { acceptUnix, listenUnix } from "../../sys/socket.ts";
import { unlinkIfThere } from "../../sys/unlink-if-there.ts";
import { COMMIT, VERSION } from "../build.ts";
import { SlirpApi } from "./api.ts";
import { HELP, parseOptions, type SlirpOptions } from "./options.ts";
import { executeInSandbox, readSandboxWords } from "./sandbox.ts";
import { limitSystemCalls } from "./seccomp.ts";
import { SlirpError } from "./slirp-error.ts";

/** The version whose command line and API these are. */
const SLIRP4NETNS_VERSION = "1.2.0";
/** A request has less bytes than this. */
const REQUEST_SIZE = 4096;

/**
 * Runs as slirp4netns.
 * @param words behind the program's name
 * @returns the exit status
 */
export function slirp4netns(words: readonly string[]): number {
  return reportingErrors(() => {
    const options = parseOptions(words);
    if (options === "help") console.log(HELP);
    else if (options === "version") {
      console.log(`slirp4netns version ${SLIRP4NETNS_VERSION}\ncommit: ${COMMIT}\nbunker: ${VERSION}`);
    } else if (options.sandbox) serveInSandbox(words, options);
    else serve(options, open(options), () => {});
  });
}

/**
 * Goes on as slirp4netns in the sandbox.
 * @param words as `readSandboxWords` reads them
 * @returns the exit status
 */
export function slirp4netnsInSandbox(words: readonly string[]): number {
  return reportingErrors(() => {
    const sandbox = readSandboxWords(words);
    const options = parseOptions(sandbox.words);
    if (typeof options === "string") throw new Error(`words of the sandbox ask for ${options}`);
    const { device, apiListener } = sandbox.descriptors;
    const opened = {
      device: new FileDescriptor(device),
      apiListener: apiListener === undefined ? undefined : new FileDescriptor(apiListener),
    };
    serve(options, opened, sandbox.enterRoot);
  });
}

function reportingErrors(run: () => void): number {
  try {
    run();
    return 0;
  } catch (error) {
    if (!(error instanceof SlirpError) && !(error instanceof BunkerError)) throw error;
    console.error(error.message);
    if (error instanceof BunkerError && error.hint !== undefined) console.error(`hint: ${error.hint}`);
    return 1;
  }
}

/** What is opened where the host's files can be reached. */
interface Opened {
  readonly device: FileDescriptor;
  readonly apiListener: FileDescriptor | undefined;
}

function open(options: SlirpOptions): Opened {
  const device = openDevice(options);
  return { device, apiListener: options.apiSocket === undefined ? undefined : listenForRequests(options.apiSocket) };
}

function serveInSandbox(words: readonly string[], options: SlirpOptions): void {
  const { device, apiListener } = open(options);
  const { exitDescriptor, readyDescriptor } = options;
  const inherited = [exitDescriptor, readyDescriptor].filter((descriptor) => descriptor !== undefined);
  executeInSandbox(words, { device: device.number, apiListener: apiListener?.number }, inherited);
}

/** @param confine is called when nothing more of the host's files is needed */
function serve(options: SlirpOptions, { device, apiListener }: Opened, confine: () => void): void {
  using cleanup = new DisposableStack();
  cleanup.use(device);
  const reactor = cleanup.use(new Reactor());
  const stack = cleanup.use(
    new Stack(reactor, {
      device: device.number,
      configuration: options.network,
      onEnd: (errno) => {
        console.error(`the device ${options.device} is gone: ${errnoName(errno)}`);
        reactor.stop();
      },
    }),
  );
  if (apiListener !== undefined) {
    cleanup.use(apiListener);
    const api = new SlirpApi(stack, options.network);
    reactor.add(apiListener.number, Event.IN, () => acceptRequest(reactor, apiListener.number, api));
  }
  if (options.exitDescriptor !== undefined) {
    const events = Event.IN | Event.HUP;
    if (!reactor.add(options.exitDescriptor, events, () => reactor.stop())) {
      throw new SlirpError("exit-fd cannot be waited for");
    }
  }
  confine();
  if (options.seccomp) limitSystemCalls();
  announce(options);
  if (options.readyDescriptor !== undefined) tellReady(options.readyDescriptor);
  reactor.run();
}

function tellReady(descriptor: number): void {
  try {
    writeSync(descriptor, "1");
    closeSync(descriptor);
  } catch (error) {
    throw new SlirpError(`cannot write to ready-fd: ${errnoName(errnoOf(error) ?? Errno.EIO)}`);
  }
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

/** Reads a request as it comes, and answers it when the client has ended it. */
function acceptRequest(reactor: Reactor, listener: number, api: SlirpApi): void {
  const client = acceptUnix(listener);
  if (client === undefined) return;
  buffer ??= allocate(REQUEST_SIZE);
  const { address, buffer: bytes } = buffer;
  let request = "";
  const end = () => {
    reactor.remove(client.number);
    client.close();
  };
  reactor.add(client.number, Event.IN, () => {
    const count = receive(client.number, address, REQUEST_SIZE);
    if (count === -Errno.EAGAIN) return;
    if (count > 0) {
      // What is too long is read to its end all the same: the client would not get an answer before.
      if (request.length < REQUEST_SIZE) request += bytes.toString("utf8", 0, count);
      return;
    }
    if (count === 0) respond(client.number, request.length < REQUEST_SIZE ? api.answer(request) : TOO_LONG);
    end();
  });
}

let buffer: Memory | undefined;
const TOO_LONG = JSON.stringify({ error: { desc: "bad request: too large message" } });

function respond(client: number, answer: string): void {
  try {
    writeSync(client, answer);
  } catch {
    // The client has gone without waiting.
  }
}
