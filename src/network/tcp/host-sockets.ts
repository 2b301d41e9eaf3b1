/*
 * Theory of operation: the host's sockets for connections that the container asks for.
 *
 * A client waits while its SYN is read, a socket is made and set up, and the host's connect(2) succeeds. So when a socket
 * was taken, the next one is made in a moment when nobody waits, and stays until the traffic is over. Where sockets are
 * bound to an address or a device none is made ahead: it could be bound to what is no more.
 */
import { openSocket, SocketOption, setOption } from "../../sys/internet-socket.ts";
import type { Reactor } from "../../sys/reactor.ts";
import { SystemCall, systemCall } from "../../sys/system-call.ts";
import type { NetworkConfiguration } from "../configuration.ts";
import { bindOutbound } from "../outbound.ts";

type Version = 4 | 6;

export class HostSockets implements Disposable {
  readonly #reactor: Reactor;
  readonly #configuration: NetworkConfiguration;
  readonly #spare: { [version in Version]?: number | undefined } = {};
  #isDisposed = false;

  constructor(reactor: Reactor, configuration: NetworkConfiguration) {
    this.#reactor = reactor;
    this.#configuration = configuration;
  }

  /** A socket to be connected, or the negated error number. */
  open(version: Version): number {
    const spare = this.#spare[version];
    this.#spare[version] = undefined;
    const { outbound4, outbound6 } = this.#configuration;
    if ((version === 4 ? outbound4 : outbound6) === undefined) {
      this.#reactor.afterRound(() => this.#makeSpare(version));
    }
    return spare ?? this.#make(version);
  }

  /** Closes those that were made for connections to come. */
  release(): void {
    for (const version of [4, 6] as const) {
      const socket = this.#spare[version];
      this.#spare[version] = undefined;
      if (socket !== undefined) systemCall(SystemCall.close, socket);
    }
  }

  #makeSpare(version: Version): void {
    if (this.#isDisposed || this.#spare[version] !== undefined) return;
    const socket = this.#make(version);
    if (socket >= 0) this.#spare[version] = socket;
  }

  #make(version: Version): number {
    const socket = openSocket("tcp", version);
    if (socket < 0) return socket;
    setOption(socket, SocketOption.TCP_NODELAY, 1);
    setOption(socket, SocketOption.SO_OOBINLINE, 1);
    const result = bindOutbound(socket, version, this.#configuration);
    if (result >= 0) return socket;
    systemCall(SystemCall.close, socket);
    return result;
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.release();
  }
}
