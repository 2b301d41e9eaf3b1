/*
 * Pipes, unix sockets and the passing of file descriptors over them (unix(7), cmsg(3)).
 */

import { Errno } from "./errno.ts";
import { BunkerError } from "./error.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { setInteger64 } from "./integer64.ts";
import { allocate, type Memory } from "./memory.ts";
import { OpenFlag } from "./open.ts";
import { check, SystemCall, systemCall } from "./system-call.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDTIMEO = 21;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;
const CONTROL_HEADER_SIZE = 16;
const MESSAGE_HEADER_SIZE = 56;
/** struct sockaddr_un: two bytes of family and 108 of path, the last of them NUL. */
const SOCKET_ADDRESS_SIZE = 110;

let pair: Memory | undefined;
let socketAddress: Memory | undefined;
let timeValue: Memory | undefined;

function twoDescriptors(fill: (address: number) => number, operation: string): [FileDescriptor, FileDescriptor] {
  pair ??= allocate(8);
  check(fill(pair.address), operation);
  return [new FileDescriptor(pair.view.getInt32(0, true)), new FileDescriptor(pair.view.getInt32(4, true))];
}

/**
 * A pipe, both ends close-on-exec; pipe(2).
 * @returns the read end and the write end
 */
export function pipe(): [read: FileDescriptor, write: FileDescriptor] {
  return twoDescriptors((address) => systemCall(SystemCall.pipe2, address, OpenFlag.O_CLOEXEC), "make a pipe");
}

/** A connected pair of unix stream sockets, both close-on-exec; socketpair(2). */
export function socketPair(): [FileDescriptor, FileDescriptor] {
  return twoDescriptors(
    (address) => systemCall(SystemCall.socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, address),
    "make a socket pair",
  );
}

/**
 * Connects to a unix stream socket; connect(2).
 * @param path at most 107 bytes; longer ones are refused by the kernel's address form
 * @throws BunkerError naming the path
 */
export function connectUnix(path: string): FileDescriptor {
  const { address, length } = unixAddress("connect to", path);
  const socket = new FileDescriptor(
    check(systemCall(SystemCall.socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "make a socket"),
  );
  let result: number;
  do result = systemCall(SystemCall.connect, socket.number, address, length);
  while (result === -Errno.EINTR);
  if (result < 0) socket.close();
  check(result, "connect to", path);
  return socket;
}

/**
 * Connects to a unix datagram socket; unix(7).
 * @param patience seconds that a datagram may wait for room
 * @returns the socket, or the negated error number of connect(2)
 */
export function connectForDatagrams(path: string, patience: number): FileDescriptor | number {
  const { address, length } = unixAddress("connect to", path);
  const socket = new FileDescriptor(
    check(systemCall(SystemCall.socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "make a socket"),
  );
  timeValue ??= allocate(16);
  setInteger64(timeValue.view, 0, patience);
  const result =
    systemCall(SystemCall.setsockopt, socket.number, SOL_SOCKET, SO_SNDTIMEO, timeValue.address, 16) ||
    systemCall(SystemCall.connect, socket.number, address, length);
  if (result === 0) return socket;
  socket.close();
  return result;
}

/** struct sockaddr_un of a path; it lies there up to the next call. */
function unixAddress(operation: string, path: string): { readonly address: number; readonly length: number } {
  const bytes = Buffer.from(path, "utf8");
  if (bytes.length >= SOCKET_ADDRESS_SIZE - 2) {
    throw new BunkerError({
      code: "socket_path_too_long",
      operation,
      object: path,
      reason: "a socket's path has at most 107 bytes",
    });
  }
  socketAddress ??= allocate(SOCKET_ADDRESS_SIZE);
  socketAddress.view.setUint16(0, AF_UNIX, true);
  bytes.copy(socketAddress.buffer, 2);
  socketAddress.buffer[2 + bytes.length] = 0;
  return { address: socketAddress.address, length: 2 + bytes.length + 1 };
}

/**
 * A unix stream socket that listens, non-blocking; bind(2), listen(2).
 * @param path where nothing is yet; at most 107 bytes
 * @throws BunkerError naming the path
 */
export function listenUnix(path: string): FileDescriptor {
  const { address, length } = unixAddress("listen on", path);
  const type = SOCK_STREAM | SOCK_CLOEXEC | OpenFlag.O_NONBLOCK;
  const socket = new FileDescriptor(check(systemCall(SystemCall.socket, AF_UNIX, type, 0), "make a socket"));
  const BACKLOG = 128;
  const bound = systemCall(SystemCall.bind, socket.number, address, length);
  const result = bound < 0 ? bound : systemCall(SystemCall.listen, socket.number, BACKLOG);
  if (result < 0) socket.close();
  check(result, "listen on", path);
  return socket;
}

/** A connection to a unix socket that listens, non-blocking; undefined when there is none. accept4(2). */
export function acceptUnix(listener: number): FileDescriptor | undefined {
  const result = systemCall(SystemCall.accept4, listener, 0, 0, SOCK_CLOEXEC | OpenFlag.O_NONBLOCK);
  return result < 0 ? undefined : new FileDescriptor(result);
}

/** The bytes of struct msghdr (with one iovec and a control buffer) at given addresses; recvmsg(2). */
export function messageHeaderBytes(parts: {
  readonly vector: number;
  readonly control: number;
  readonly controlLength: number;
}): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(MESSAGE_HEADER_SIZE));
  bytes.writeBigUInt64LE(BigInt(parts.vector), 16);
  bytes.writeBigUInt64LE(1n, 24);
  bytes.writeBigUInt64LE(BigInt(parts.control), 32);
  bytes.writeBigUInt64LE(BigInt(parts.controlLength), 40);
  return bytes;
}

/** The bytes of one struct iovec. */
export function vectorBytes(address: number, length: number): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(16));
  bytes.writeBigUInt64LE(BigInt(address), 0);
  bytes.writeBigUInt64LE(BigInt(length), 8);
  return bytes;
}

/**
 * The bytes of a control message that carries descriptors.
 * @param descriptors their numbers; the first one's position in the result is `CONTROL_DESCRIPTOR_OFFSET`
 */
export function descriptorControlBytes(descriptors: readonly number[]): Buffer {
  const length = CONTROL_HEADER_SIZE + 4 * descriptors.length;
  const bytes = Buffer.from(new ArrayBuffer((length + 7) & ~7));
  bytes.writeBigUInt64LE(BigInt(length), 0);
  bytes.writeInt32LE(SOL_SOCKET, 8);
  bytes.writeInt32LE(SCM_RIGHTS, 12);
  descriptors.forEach((descriptor, index) => {
    bytes.writeInt32LE(descriptor, CONTROL_HEADER_SIZE + 4 * index);
  });
  return bytes;
}

/** Where in `descriptorControlBytes` the first descriptor's number stands. */
export const CONTROL_DESCRIPTOR_OFFSET = CONTROL_HEADER_SIZE;

function place(bytes: Buffer): Memory {
  const memory = allocate(bytes.length);
  bytes.copy(memory.buffer);
  return memory;
}

/**
 * Sends bytes and descriptors in one message over a unix socket; sendmsg(2).
 * @param socket a connected stream socket
 * @param data at least one byte
 * @param descriptors numbers of open descriptors; the receiver gets copies
 * @throws BunkerError with the errno
 */
export function sendDescriptors(socket: number, data: Uint8Array, descriptors: readonly number[]): void {
  const payload = place(Buffer.from(data));
  const vector = place(vectorBytes(payload.address, data.length));
  const control = place(descriptorControlBytes(descriptors));
  const header = place(
    messageHeaderBytes({ vector: vector.address, control: control.address, controlLength: control.buffer.length }),
  );
  const MSG_NOSIGNAL = 0x4000;
  let result: number;
  do result = systemCall(SystemCall.sendmsg, socket, header.address, MSG_NOSIGNAL);
  while (result === -Errno.EINTR);
  check(result, "send a file descriptor");
}

/**
 * Receives one message with at most one descriptor over a unix socket, waiting for it; recvmsg(2).
 * @returns the descriptor, close-on-exec, or undefined when the peer closed without sending one
 * @throws BunkerError with the errno
 */
export function receiveDescriptor(socket: number): FileDescriptor | undefined {
  const payload = allocate(64);
  const vector = place(vectorBytes(payload.address, payload.buffer.length));
  const control = place(descriptorControlBytes([-1]));
  // Exactly one: in the padding behind it the kernel would open another, which nobody closes.
  const controlLength = CONTROL_HEADER_SIZE + 4;
  const header = place(messageHeaderBytes({ vector: vector.address, control: control.address, controlLength }));
  let result: number;
  do result = systemCall(SystemCall.recvmsg, socket, header.address, MSG_CMSG_CLOEXEC);
  while (result === -Errno.EINTR);
  // The peer has closed before it has read all that was sent to it.
  if (result === -Errno.ECONNRESET) return undefined;
  check(result, "receive a file descriptor");
  const received = Number(header.view.getBigUint64(40, true));
  if (received < controlLength) return undefined;
  return new FileDescriptor(control.view.getInt32(CONTROL_DESCRIPTOR_OFFSET, true));
}
