/*
 * The host's ports that lead into a container. They are bound before the container starts, so that a port that is taken is
 * told then, and handed to the process that serves its network.
 */
import type { NetworkConfiguration } from "../../network/configuration.ts";
import { type BoundPort, bindPort, type TransportProtocol } from "../../network/published-port.ts";
import { BunkerError } from "../../sys/error.ts";
import { type Address, isVersion4 } from "../../sys/internet-socket.ts";
import type { PortBinding, PortForward } from "./network-plan-schema.ts";

/** How often another random port is tried when the one of IPv4 is taken in IPv6. */
const RANDOM_PORT_ATTEMPTS = 20;

/** A bound port, with its socket. */
export interface BoundForward extends Disposable {
  readonly binding: PortBinding;
  readonly socket: BoundPort["socket"];
}

/**
 * Binds the ports of the host.
 * @param configuration of the network that they lead into
 * @throws BunkerError when one is taken or not permitted; none is bound then
 */
export function bindPorts(configuration: NetworkConfiguration, forwards: readonly PortForward[]): BoundForward[] {
  using cleanup = new DisposableStack();
  const bound = forwards.flatMap((forward) =>
    bindForward(forward).map((port) => {
      cleanup.use(port);
      const { protocol, host, socket } = port;
      const target = { address: targetAddress(configuration, host.address), port: forward.containerPort };
      return {
        binding: { protocol, host, target },
        socket,
        [Symbol.dispose]: () => socket.close(),
      };
    }),
  );
  cleanup.move();
  return bound;
}

function targetAddress({ ipv4, ipv6 }: NetworkConfiguration, host: Address): Address {
  if (isVersion4(host)) return ipv4.address;
  if (ipv6 !== undefined) return ipv6.address;
  throw new BunkerError({
    code: "no_ipv6",
    operation: "publish a port of an IPv6 address",
    reason: "the container has no IPv6",
    hint: "give it IPv6: --network slirp:enable_ipv6=true, or network create --ipv6",
  });
}

/** Binds one port, the same number at each address. */
function bindForward({ protocol, addresses, host }: PortForward): BoundPort[] {
  if (host === undefined) return bindAnyPort(protocol, addresses);
  let refusal: BunkerError | undefined;
  for (let port = host.first; port <= host.last; port++) {
    try {
      return bindAt(protocol, addresses, port);
    } catch (error) {
      if (!isPortInUse(error)) throw error;
      refusal ??= error;
    }
  }
  throw refusal ?? new Error("a range of ports is empty");
}

function bindAnyPort(protocol: TransportProtocol, addresses: readonly Address[]): BoundPort[] {
  for (let attempt = 1; ; attempt++) {
    try {
      return bindAt(protocol, addresses, 0);
    } catch (error) {
      if (!isPortInUse(error) || attempt === RANDOM_PORT_ATTEMPTS) throw error;
    }
  }
}

function bindAt(protocol: TransportProtocol, addresses: readonly Address[], port: number): BoundPort[] {
  using cleanup = new DisposableStack();
  const bound: BoundPort[] = [];
  for (const address of addresses) {
    const number = bound[0]?.host.port ?? port;
    bound.push(cleanup.use(bindPort(protocol, { address, port: number })));
  }
  cleanup.move();
  return bound;
}

function isPortInUse(error: unknown): error is BunkerError {
  return error instanceof BunkerError && error.code === "port_in_use";
}
