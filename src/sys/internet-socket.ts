/*
 * Internet sockets: socket(7), ip(7), ipv6(7), tcp(7), udp(7), icmp(7).
 *
 * An address is four 32-bit words in the order of the network, as signed integers: those of an IPv6 address, or of an
 * IPv4 address in its mapped form (::ffff:a.b.c.d). One representation for both lets everything above work without
 * telling them apart; a mapped address is never put into an IPv6 socket, since the kernel would take it to the IPv4
 * network and past all rules for it.
 *
 * Functions return the kernel's result as `systemCall` does: negative is the negated error number. Their structures lie
 * in memory that is made at the first use.
 */
import { allocate, type Memory } from "./memory.ts";
import { SystemCall, systemCall } from "./system-call.ts";

/** An IPv6 address, or an IPv4 address in mapped form: four signed 32-bit words, the first bytes first. */
export type Address = readonly [number, number, number, number];

/** What a socket is for. */
export type SocketKind = "tcp" | "udp" | "ping";

/** An address and port that the kernel has told. */
export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;
const MSG_OOB = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** What `isAtUrgentMark` asks of ioctl(2). */
export const SIOCATMARK = 0x8905;
const SOCKADDR_SIZE = 28;

/** Levels and names of the options of setsockopt(2) that are used here. */
export const SocketOption = {
  SO_REUSEADDR: [1, 2],
  SO_ERROR: [1, 4],
  SO_KEEPALIVE: [1, 9],
  SO_OOBINLINE: [1, 10],
  SO_BINDTODEVICE: [1, 25],
  IP_TTL: [0, 2],
  IP_RECVERR: [0, 11],
  IP_MTU: [0, 14],
  TCP_NODELAY: [6, 1],
  TCP_KEEPIDLE: [6, 4],
  IPV6_UNICAST_HOPS: [41, 16],
  IPV6_MTU: [41, 24],
  IPV6_RECVERR: [41, 25],
  IPV6_V6ONLY: [41, 26],
} as const;

interface Structures {
  readonly address: Memory;
  readonly length: Memory;
  readonly value: Memory;
}

let allocated: Structures | undefined;

function structures(): Structures {
  allocated ??= { address: allocate(SOCKADDR_SIZE), length: allocate(4), value: allocate(64) };
  return allocated;
}

/** Whether an address is an IPv4 address in mapped form. */
export function isVersion4(address: Address): boolean {
  return address[0] === 0 && address[1] === 0 && address[2] === 0xffff;
}

/**
 * Writes struct sockaddr_in or sockaddr_in6.
 * @param scope the index of the interface that a link-local IPv6 address belongs to, 0 for any other address
 * @returns its size
 */
function writeSocketAddress(view: DataView, address: Address, port: number, scope = 0): number {
  view.setUint16(2, port);
  if (isVersion4(address)) {
    view.setUint16(0, AF_INET, true);
    view.setInt32(4, address[3]);
    view.setInt32(8, 0);
    view.setInt32(12, 0);
    return 16;
  }
  view.setUint16(0, AF_INET6, true);
  view.setInt32(4, 0);
  for (let word = 0; word < 4; word++) view.setInt32(8 + 4 * word, address[word] ?? 0);
  view.setUint32(24, scope, true);
  return SOCKADDR_SIZE;
}

/** Reads struct sockaddr_in or sockaddr_in6. */
export function readSocketAddress(view: DataView, offset = 0): Endpoint {
  const port = view.getUint16(offset + 2);
  if (view.getUint16(offset, true) === AF_INET) {
    return { address: [0, 0, 0xffff, view.getInt32(offset + 4)], port };
  }
  const word = (index: number) => view.getInt32(offset + 8 + 4 * index);
  return { address: [word(0), word(1), word(2), word(3)], port };
}

/** socket(2): non-blocking and close-on-exec; an IPv6 one has nothing to do with IPv4. */
export function openSocket(kind: SocketKind, version: 4 | 6): number {
  const family = version === 4 ? AF_INET : AF_INET6;
  const type = (kind === "tcp" ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const protocol = kind !== "ping" ? 0 : version === 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
  const socket = systemCall(SystemCall.socket, family, type, protocol);
  // A ping socket has no ports that both families could share.
  if (socket >= 0 && version === 6 && kind !== "ping") setOption(socket, SocketOption.IPV6_V6ONLY, 1);
  return socket;
}

/** setsockopt(2) of an integer. */
export function setOption(socket: number, [level, name]: readonly [number, number], value: number): number {
  const { value: memory } = structures();
  memory.view.setInt32(0, value, true);
  return systemCall(SystemCall.setsockopt, socket, level, name, memory.address, 4);
}

/** SO_LINGER with no time: the next close(2) resets the connection. */
export function resetOnClose(socket: number): number {
  const SOL_SOCKET = 1;
  const SO_LINGER = 13;
  const { value } = structures();
  value.view.setInt32(0, 1, true);
  value.view.setInt32(4, 0, true);
  return systemCall(SystemCall.setsockopt, socket, SOL_SOCKET, SO_LINGER, value.address, 8);
}

/** SO_BINDTODEVICE: all that the socket sends and receives goes over one interface. */
export function bindToDevice(socket: number, device: string): number {
  const { value } = structures();
  const length = value.buffer.write(device.slice(0, 15), "latin1");
  value.buffer[length] = 0;
  const [level, name] = SocketOption.SO_BINDTODEVICE;
  return systemCall(SystemCall.setsockopt, socket, level, name, value.address, length + 1);
}

/** getsockopt(2) of an integer; undefined when it is refused. */
export function getOption(socket: number, [level, name]: readonly [number, number]): number | undefined {
  const { value, length } = structures();
  length.view.setInt32(0, 4, true);
  const result = systemCall(SystemCall.getsockopt, socket, level, name, value.address, length.address);
  return result < 0 ? undefined : value.view.getInt32(0, true);
}

/** connect(2). */
export function connect(socket: number, address: Address, port: number, scope = 0): number {
  const memory = structures().address;
  const size = writeSocketAddress(memory.view, address, port, scope);
  return systemCall(SystemCall.connect, socket, memory.address, size);
}

/** bind(2). */
export function bind(socket: number, address: Address, port: number): number {
  const memory = structures().address;
  const size = writeSocketAddress(memory.view, address, port);
  return systemCall(SystemCall.bind, socket, memory.address, size);
}

/** listen(2). */
export function listen(socket: number, backlog: number): number {
  return systemCall(SystemCall.listen, socket, backlog);
}

/** accept4(2), non-blocking and close-on-exec: the connection's socket and its client, or the negated error number. */
export function accept(socket: number): { readonly socket: number; readonly client: Endpoint } | number {
  const { address, length } = structures();
  length.view.setInt32(0, SOCKADDR_SIZE, true);
  const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  const accepted = systemCall(SystemCall.accept4, socket, address.address, length.address, flags);
  return accepted < 0 ? accepted : { socket: accepted, client: readSocketAddress(address.view) };
}

/** getsockname(2). */
export function localEndpoint(socket: number): Endpoint | undefined {
  const { address, length } = structures();
  length.view.setInt32(0, SOCKADDR_SIZE, true);
  const result = systemCall(SystemCall.getsockname, socket, address.address, length.address);
  return result < 0 ? undefined : readSocketAddress(address.view);
}

/** send(2), without waiting. */
export function send(socket: number, address: number, length: number): number {
  return systemCall(SystemCall.sendto, socket, address, length, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
}

/** send(2) whose last byte is urgent. */
export function sendUrgent(socket: number, address: number, length: number): number {
  return systemCall(SystemCall.sendto, socket, address, length, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_OOB, 0, 0);
}

/** sendto(2), without waiting. */
export function sendTo(socket: number, address: number, length: number, to: Endpoint): number {
  const memory = structures().address;
  const size = writeSocketAddress(memory.view, to.address, to.port);
  return systemCall(SystemCall.sendto, socket, address, length, MSG_DONTWAIT | MSG_NOSIGNAL, memory.address, size);
}

/** recv(2), without waiting. */
export function receive(socket: number, address: number, length: number): number {
  return systemCall(SystemCall.recvfrom, socket, address, length, MSG_DONTWAIT, 0, 0);
}

/** shutdown(2) for writing. */
export function endSending(socket: number): number {
  const SHUT_WR = 1;
  return systemCall(SystemCall.shutdown, socket, SHUT_WR);
}

/** Whether the next byte to be read is the urgent one; sockatmark(3). */
export function isAtUrgentMark(socket: number): boolean {
  const { value } = structures();
  return systemCall(SystemCall.ioctl, socket, SIOCATMARK, value.address) === 0 && value.view.getInt32(0, true) !== 0;
}
