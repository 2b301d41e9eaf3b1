/*
 * Unix sockets that keep messages apart (SOCK_SEQPACKET of unix(7)), with file descriptors in them: how a command talks
 * with a container's supervisor.
 *
 * A path in a socket's address has at most 107 bytes, but containers lie at any depth. So the address names the
 * directory by its descriptor, below /proc/self/fd.
 */
import { Errno } from "./errno.ts";
import { FileDescriptor } from "./file-descriptor.ts";
import { allocate, type Memory } from "./memory.ts";
import { CONTROL_DESCRIPTOR_OFFSET, descriptorControlBytes, messageHeaderBytes, vectorBytes } from "./socket.ts";
import { check, mapMemory, SystemCall, systemCall } from "./system-call.ts";

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
/** As many as the kernel permits. */
const BACKLOG = 4_096;
const SOCKET_ADDRESS_SIZE = 110;

/** The longest message, in bytes. */
const LARGEST_MESSAGE = 65536;
/** The most descriptors in one message. */
export const MOST_DESCRIPTORS = 4;

/** What came over a socket: a message, the peer's end, or nothing yet. */
export type Received =
  | { readonly kind: "message"; readonly text: string; readonly descriptors: readonly FileDescriptor[] }
  | { readonly kind: "end" }
  | { readonly kind: "nothing" };

interface Buffers {
  readonly address: Memory;
  readonly payload: Memory;
  readonly vector: Memory;
  readonly control: Memory;
  readonly header: Memory;
}

let allocated: Buffers | undefined;

function buffers(): Buffers {
  if (allocated !== undefined) return allocated;
  const payload = mapMemory(LARGEST_MESSAGE, "private");
  const control = allocate(CONTROL_DESCRIPTOR_OFFSET + 4 * MOST_DESCRIPTORS);
  allocated = { address: allocate(SOCKET_ADDRESS_SIZE), payload, vector: allocate(16), control, header: allocate(56) };
  return allocated;
}

/** Puts together struct msghdr for the payload and control buffer; returns its address. */
function header({ payload, vector, control, header: memory }: Buffers, length: number, controlLength: number): number {
  vectorBytes(payload.address, length).copy(vector.buffer);
  messageHeaderBytes({ vector: vector.address, control: control.address, controlLength }).copy(memory.buffer);
  return memory.address;
}

/** Writes struct sockaddr_un for a name in an open directory; returns its length. */
function putAddress({ address }: Buffers, directory: number, name: string): number {
  const path = `/proc/self/fd/${directory}/${name}\0`;
  address.view.setUint16(0, AF_UNIX, true);
  return 2 + address.buffer.write(path, 2, "latin1");
}

/** A connected pair; socketpair(2). Both are close-on-exec. */
export function messageSocketPair(): [FileDescriptor, FileDescriptor] {
  const pair = allocate(8);
  check(
    systemCall(SystemCall.socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.address),
    "make a socket pair",
  );
  return [new FileDescriptor(pair.view.getInt32(0, true)), new FileDescriptor(pair.view.getInt32(4, true))];
}

/**
 * Makes a listening socket, non-blocking; bind(2), listen(2).
 * @param directory an open directory
 * @param name of the socket in it, which must not be there
 * @throws BunkerError
 */
export function listenForMessages(directory: number, name: string): FileDescriptor {
  const type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const socket = new FileDescriptor(check(systemCall(SystemCall.socket, AF_UNIX, type, 0), "make a socket"));
  const own = buffers();
  const length = putAddress(own, directory, name);
  check(systemCall(SystemCall.bind, socket.number, own.address.address, length), "make the socket", name);
  check(systemCall(SystemCall.listen, socket.number, BACKLOG), "listen at the socket", name);
  return socket;
}

/**
 * Connects to a socket by its name in an open directory.
 * @returns the connection, blocking, or the negated error number: ENOENT and ECONNREFUSED say that nobody listens
 */
export function connectForMessages(directory: number, name: string): FileDescriptor | number {
  const socket = new FileDescriptor(
    check(systemCall(SystemCall.socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "make a socket"),
  );
  const own = buffers();
  const length = putAddress(own, directory, name);
  let result: number;
  do result = systemCall(SystemCall.connect, socket.number, own.address.address, length);
  while (result === -Errno.EINTR);
  if (result === 0) return socket;
  socket.close();
  return result;
}

/**
 * Sends a message; sendmsg(2). It is sent whole or not at all.
 * @param descriptors at most four; the receiver gets copies
 * @returns 0 or the negated error number: EPIPE and ECONNRESET when the peer has gone, EMSGSIZE for a text that is too long
 */
export function sendMessage(socket: number, text: string, descriptors: readonly number[] = []): number {
  if (Buffer.byteLength(text) > LARGEST_MESSAGE) return -Errno.EMSGSIZE;
  const own = buffers();
  const length = own.payload.buffer.write(text, 0, "utf8");
  const control = descriptors.length === 0 ? Buffer.alloc(0) : descriptorControlBytes(descriptors);
  control.copy(own.control.buffer);
  const message = header(own, length, control.length);
  let result: number;
  do result = systemCall(SystemCall.sendmsg, socket, message, MSG_NOSIGNAL);
  while (result === -Errno.EINTR);
  return Math.min(result, 0);
}

/**
 * Receives a message; recvmsg(2). A peer that has gone without reading all that was sent to it leaves ECONNRESET behind,
 * which comes once and before the messages that it had sent; those are received all the same.
 * @param wait whether to wait for it, if the socket is a blocking one
 * @returns the message with its descriptors, which are close-on-exec and the caller's
 */
export function receiveMessage(socket: number, wait: boolean): Received {
  const own = buffers();
  const message = header(own, LARGEST_MESSAGE, own.control.buffer.length);
  const flags = MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT);
  let count: number;
  do count = systemCall(SystemCall.recvmsg, socket, message, flags);
  while (count === -Errno.EINTR || count === -Errno.ECONNRESET);
  if (count === -Errno.EAGAIN) return { kind: "nothing" };
  if (count <= 0) return { kind: "end" };
  // The length of all is rounded up to 8 bytes; that of the one message in it says how many descriptors there are.
  const hasControl = own.header.view.getUint32(40, true) > 0;
  const end = hasControl ? own.control.view.getUint32(0, true) : 0;
  const descriptors: FileDescriptor[] = [];
  for (let offset = CONTROL_DESCRIPTOR_OFFSET; offset + 4 <= end; offset += 4) {
    descriptors.push(new FileDescriptor(own.control.view.getInt32(offset, true)));
  }
  return { kind: "message", text: own.payload.buffer.toString("utf8", 0, count), descriptors };
}
