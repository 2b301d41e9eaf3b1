/*
 * Makes a container's device, and takes its other side over.
 *
 * A TAP belongs to the network namespace in which /dev/net/tun was opened, and setting it up needs rights over that
 * namespace, which the user has in the user namespace that owns it. This process can enter neither (it has threads),
 * so a launched child does: it joins the namespaces, opens and configures the device, and sends the file back over a
 * socket. The child sees the host's files still, so /dev/net/tun is the host's.
 */
import { launch, readFailure } from "../../launch/launch.ts";
import type { Slot } from "../../launch/operation.ts";
import { LaunchProgram } from "../../launch/program.ts";
import { sendDescriptor } from "../../launch/send-descriptor.ts";
import { becomeNotDumpable } from "../../runtime/steps/process-attributes.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError } from "../../sys/error.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { IFNAMSIZ, IFREQ_SIZE, SIOCGIFINDEX } from "../../sys/interface-index.ts";
import type { Address } from "../../sys/internet-socket.ts";
import {
  addressMessage,
  DEVICE_INDEX_OFFSET,
  deleteDeviceMessage,
  deviceUpMessage,
  ERROR_OFFSET,
  type Route,
  routeMessage,
} from "../../sys/netlink.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { waitForExit } from "../../sys/process.ts";
import { receiveDescriptor, socketPair } from "../../sys/socket.ts";
import { formatPrefix } from "../prefix.ts";

const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const IFF_TAP = 2;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const TUN_F_CSUM = 1;
const TUN_F_TSO4 = 2;
const TUN_F_TSO6 = 4;
const TUN_F_TSO_ECN = 8;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const LOOPBACK_INDEX = 1;
/** A few windows of 64 KiB segments; beyond it the kernel drops what is not read in time. */
const QUEUE_LENGTH = 2_000;
const PROGRAM_SIZE = 1 << 17;

/** A namespace to join, by setns(2). */
export interface JoinedNamespace {
  /** A namespace's file, or a pidfd. */
  readonly descriptor: number;
  /** Bits of `CloneFlag`. */
  readonly type: number;
}

/** An address of the device. */
interface DeviceAddress {
  readonly address: Address;
  readonly prefixLength: number;
  /** For the default route; undefined for none. */
  readonly gateway: Address | undefined;
}

export interface TapOptions {
  /** At most 15 bytes. */
  readonly name: string;
  /** In this order. */
  readonly namespaces: readonly JoinedNamespace[];
  /** undefined: the device is made, but neither it nor the loopback is switched on. */
  readonly configuration:
    | {
        readonly mtu: number;
        readonly hardwareAddress: Uint8Array | undefined;
        readonly addresses: readonly DeviceAddress[];
        /** Of the default routes; undefined for the kernel's own. */
        readonly metric?: number | undefined;
        /** Besides the default routes. */
        readonly routes?: readonly Route[];
        /** Files below /proc/sys, and what is written to them before the device is switched on. */
        readonly parameters?: readonly (readonly [path: string, value: string])[];
      }
    | undefined;
}

/**
 * Makes a TAP in another network namespace.
 * @returns the file of its other side, non-blocking
 * @throws BunkerError that names what was refused
 */
export function openTap(options: TapOptions): FileDescriptor {
  const [ours, theirs] = socketPair();
  using _ours = ours;
  using _theirs = theirs;
  const failure = inNamespaces(options.namespaces, (program) => {
    const device = openDevice(program, options.name);
    if (options.configuration !== undefined) configure(program, options.name, options.configuration);
    sendDescriptor(program, theirs.number, device, { operation: "hand a device over" });
  });
  if (failure !== undefined) throw withHint(failure);
  theirs.close();
  const received = receiveDescriptor(ours.number);
  if (received === undefined) throw new BunkerError({ code: "tap_lost", operation: "take a device over" });
  return received;
}

/**
 * Removes a device of another network namespace, whoever has its file open.
 * @throws BunkerError that names what was refused
 */
export function removeTap(name: string, namespaces: readonly JoinedNamespace[]): void {
  const failure = inNamespaces(namespaces, (program) => {
    const what = { operation: "remove network device", object: name };
    const { netlink, index } = findDevice(program, name, what);
    const message = deleteDeviceMessage();
    const address = program.bytes(message);
    program.store32(index, address + DEVICE_INDEX_OFFSET);
    ask(program, netlink, address, message.length, what);
  });
  if (failure !== undefined) throw failure;
}

/** Has a child join namespaces and do something there; what kept it from it. */
function inNamespaces(
  namespaces: readonly JoinedNamespace[],
  emit: (program: LaunchProgram) => void,
): BunkerError | undefined {
  using program = new LaunchProgram(PROGRAM_SIZE);
  becomeNotDumpable(program);
  for (const { descriptor, type } of namespaces) {
    program.call("setns", [descriptor, type], { operation: "join the container's network namespace" });
  }
  emit(program);
  program.call("exit_group", [0], { operation: "exit" });
  const child = launch(program, { flags: 0 });
  using _pidfd = child.pidfd;
  using _errors = child.errors;
  const failure = readFailure(child, program);
  waitForExit(child.pid);
  return failure;
}

function withHint(failure: BunkerError): BunkerError {
  const { errno } = failure;
  if (!failure.message.includes("/dev/net/tun")) return failure;
  const hint =
    errno === Errno.ENOENT || errno === Errno.ENODEV || errno === Errno.ENXIO
      ? "load the kernel's module tun, or use --network none or --network host"
      : "let users open /dev/net/tun (mode 666, as on desktop systems), or use --network none or --network host";
  return new BunkerError({ code: failure.code, operation: "open /dev/net/tun", errno, hint }, { cause: failure });
}

/** A request of netdevice(7) with a device's name. */
function interfaceRequest(name: string): Buffer {
  const request = Buffer.alloc(IFREQ_SIZE);
  request.write(name.slice(0, IFNAMSIZ - 1), "latin1");
  return request;
}

function openDevice(program: LaunchProgram, name: string): Slot {
  const device = program.slot("device");
  const flags = OpenFlag.O_RDWR | OpenFlag.O_NONBLOCK | OpenFlag.O_CLOEXEC;
  program.call(
    "openat",
    [AT_FDCWD, program.text("/dev/net/tun"), flags],
    { operation: "open", object: "/dev/net/tun" },
    {
      result: device,
    },
  );
  const request = interfaceRequest(name);
  request.writeUInt16LE(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, IFNAMSIZ);
  program.call("ioctl", [device, TUNSETIFF, program.bytes(request)], {
    operation: "make network device",
    object: name,
  });
  const offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  program.call("ioctl", [device, TUNSETOFFLOAD, offload], { operation: "offload segmentation of", object: name });
  return device;
}

function configure(
  program: LaunchProgram,
  name: string,
  { mtu, hardwareAddress, addresses, metric, routes = [], parameters = [] }: NonNullable<TapOptions["configuration"]>,
): void {
  const what = { operation: "configure network device", object: name };
  const { netlink, index } = findDevice(program, name, what);
  const loopback = deviceUpMessage({});
  loopback.writeInt32LE(LOOPBACK_INDEX, DEVICE_INDEX_OFFSET);
  ask(program, netlink, program.bytes(loopback), loopback.length, {
    operation: "switch on network device",
    object: "lo",
  });
  for (const [path, value] of parameters) setParameter(program, path, value);
  const settings = hardwareAddress === undefined ? {} : { hardwareAddress };
  const ofDevice = [
    deviceUpMessage({ mtu, queueLength: QUEUE_LENGTH, ...settings }),
    ...addresses.map(({ address, prefixLength }) => addressMessage(address, prefixLength)),
  ];
  for (const message of ofDevice) {
    const address = program.bytes(message);
    program.store32(index, address + DEVICE_INDEX_OFFSET);
    ask(program, netlink, address, message.length, what);
  }
  const defaultRoutes = addresses.flatMap(({ gateway }): Route[] =>
    gateway === undefined ? [] : [{ gateway, metric }],
  );
  for (const route of [...defaultRoutes, ...routes]) {
    const message = routeMessage(route);
    const to = route.destination === undefined ? "default route" : `route to ${formatPrefix(route.destination)}`;
    ask(program, netlink, program.bytes(message), message.length, { operation: `add ${to} to`, object: name });
  }
}

/** Sets a parameter of the kernel: of the network namespace of who opens the file, whoever has mounted /proc. */
function setParameter(program: LaunchProgram, path: string, value: string): void {
  const what = { operation: "set", object: `${path} to ${value}` };
  const file = program.slot("parameter");
  const bytes = Buffer.from(value);
  program.call("openat", [AT_FDCWD, program.text(path), OpenFlag.O_WRONLY | OpenFlag.O_CLOEXEC], what, {
    result: file,
  });
  program.call("write", [file, program.bytes(bytes), bytes.length], what);
  program.call("close", [file], what);
  program.release(file);
}

/** A socket to the kernel, and a device's index. */
function findDevice(
  program: LaunchProgram,
  name: string,
  what: { readonly operation: string; readonly object: string },
): { readonly netlink: Slot; readonly index: Slot } {
  const netlink = program.slot("netlink");
  const index = program.slot("device index");
  program.call("socket", [AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0], what, { result: netlink });
  const request = program.bytes(interfaceRequest(name));
  program.call("ioctl", [netlink, SIOCGIFINDEX, request], what);
  program.load32(index, request, IFNAMSIZ);
  return { netlink, index };
}

/** Sends a message to the kernel, and fails as its answer says. */
function ask(
  program: LaunchProgram,
  netlink: Slot,
  address: number,
  length: number,
  what: { readonly operation: string; readonly object: string },
): void {
  const ANSWER_SIZE = 1024;
  const answer = program.reserve(ANSWER_SIZE).address;
  const error = program.slot("netlink error");
  const done = program.label("acknowledged");
  program.call("sendto", [netlink, address, length, 0, 0, 0], what);
  program.call("recvfrom", [netlink, answer, ANSWER_SIZE, 0, 0, 0], what);
  program.load32(error, answer, ERROR_OFFSET);
  program.branch(error, "equal", 0, done);
  program.fail(what, error);
  program.place(done);
  program.release(error);
}
