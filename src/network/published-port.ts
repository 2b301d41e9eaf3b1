/*
 * A port of the host's that leads into the container. TCP: a listening socket, whose connections the container sees come
 * from their clients' own addresses. UDP: one socket for all clients; see datagrams.ts.
 *
 * Only the host's loopback has no place in the container's network: its clients are seen as the gateway. So are those
 * whose address would be another container's.
 */
import { pauseIfExhausted } from "../sys/accept-connection.ts";
import { Errno } from "../sys/errno.ts";
import { BunkerError } from "../sys/error.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import {
  type Address,
  accept,
  bind,
  type Endpoint,
  isVersion4,
  listen,
  localEndpoint,
  openSocket,
  resetOnClose,
  SocketOption,
  setOption,
} from "../sys/internet-socket.ts";
import { Event, type Reactor } from "../sys/reactor.ts";
import { SystemCall, systemCall } from "../sys/system-call.ts";
import { formatEndpoint, isLoopback } from "./address.ts";
import type { NetworkConfiguration } from "./configuration.ts";
import type { Datagrams } from "./datagrams.ts";
import { isOnLink, subnetOf } from "./destination.ts";
import type { Tcp } from "./tcp/tcp.ts";

const BACKLOG = 4_096;
/** Connections taken in one go, before others have their turn. */
const ACCEPTED_PER_TURN = 32;

/** What a port of the host is for. */
export type TransportProtocol = "tcp" | "udp";

/** A socket of the host that is bound to a port, before anything is done with it. */
export interface BoundPort extends Disposable {
  readonly protocol: TransportProtocol;
  readonly socket: FileDescriptor;
  /** Where it is bound: the port that was chosen, if none was asked for. */
  readonly host: Endpoint;
}

/**
 * Binds a port of the host.
 * @param host 0 as port lets the kernel choose one
 * @throws BunkerError when it is taken, or not permitted
 */
export function bindPort(protocol: TransportProtocol, host: Endpoint): BoundPort {
  const what = { operation: `bind ${protocol} port`, object: formatEndpoint(host) };
  const number = openSocket(protocol, isVersion4(host.address) ? 4 : 6);
  if (number < 0) {
    throw new BunkerError({ code: "port_not_bound", ...what, errno: -number, hint: hintFor(-number, host.port) });
  }
  using cleanup = new DisposableStack();
  const socket = cleanup.use(new FileDescriptor(number));
  if (protocol === "tcp") {
    setOption(number, SocketOption.SO_REUSEADDR, 1);
    setOption(number, SocketOption.TCP_NODELAY, 1);
    setOption(number, SocketOption.SO_OOBINLINE, 1);
  }
  let result = bind(number, host.address, host.port);
  if (result >= 0 && protocol === "tcp") result = listen(number, BACKLOG);
  if (result < 0) {
    const code = result === -Errno.EADDRINUSE ? "port_in_use" : "port_not_bound";
    throw new BunkerError({ code, ...what, errno: -result, hint: hintFor(-result, host.port) });
  }
  const bound = localEndpoint(number) ?? host;
  cleanup.move();
  return { protocol, socket, host: bound, [Symbol.dispose]: () => socket.close() };
}

function hintFor(errno: number, port: number): string | undefined {
  if (errno === Errno.EACCES) {
    return `ports from ${port} on can be permitted to all users: sysctl net.ipv4.ip_unprivileged_port_start=${port}`;
  }
  if (errno === Errno.EMFILE) {
    return "a published port takes a file descriptor for each IP version, of which there may be more: ulimit -n";
  }
  if (errno === Errno.EADDRINUSE) return "another program listens there; choose another port";
  return errno === Errno.EADDRNOTAVAIL ? "the host has no such address" : undefined;
}

/** A bound port that leads into the container until it is disposed. */
export class PublishedPort implements Disposable {
  readonly bound: BoundPort;
  readonly target: Endpoint;
  readonly #reactor: Reactor;
  readonly #tcp: Tcp;
  readonly #datagrams: Datagrams;
  readonly #configuration: NetworkConfiguration;

  /** @param target the container's end */
  constructor(
    bound: BoundPort,
    target: Endpoint,
    reactor: Reactor,
    tcp: Tcp,
    datagrams: Datagrams,
    configuration: NetworkConfiguration,
  ) {
    this.bound = bound;
    this.target = target;
    this.#reactor = reactor;
    this.#tcp = tcp;
    this.#datagrams = datagrams;
    this.#configuration = configuration;
    const socket = bound.socket.number;
    const seen = (client: Address) => this.#clientSeen(client);
    const handle =
      bound.protocol === "tcp" ? () => this.#accept() : () => datagrams.receiveFromClients(socket, target, seen);
    reactor.add(socket, Event.IN, handle);
  }

  #accept(): void {
    const listener = this.bound.socket.number;
    for (let count = 0; count < ACCEPTED_PER_TURN; count++) {
      const accepted = accept(listener);
      if (typeof accepted === "number") {
        pauseIfExhausted(this.#reactor, listener, -accepted);
        return;
      }
      const { socket, client } = accepted;
      const seen = { address: this.#clientSeen(client.address), port: client.port };
      if (this.#tcp.accept(socket, seen, this.target)) continue;
      resetOnClose(socket);
      systemCall(SystemCall.close, socket);
    }
  }

  /** A client's address as the container is to see it. */
  #clientSeen(client: Address): Address {
    const subnet = subnetOf(this.#configuration, client);
    // On a link that others share, an address of the link's would lead the answer to somebody else.
    const isTaken = this.#configuration.isShared === true && subnet !== undefined && isOnLink(subnet, client);
    return isLoopback(client) || isTaken ? (subnet?.gateway ?? client) : client;
  }

  [Symbol.dispose](): void {
    const socket = this.bound.socket.number;
    this.#reactor.remove(socket);
    if (this.bound.protocol === "udp") this.#datagrams.forgetClients(socket);
    this.bound[Symbol.dispose]();
  }
}
