import type { Container } from "../../engine/state/containers.ts";
import { formatAddress } from "../../network/address.ts";

/** A port of the host that leads to a container. */
export interface PublishedPort {
  /** The container's: `80/tcp`. */
  readonly port: string;
  /** The host's address. */
  readonly address: string;
  readonly hostPort: number;
  /** Both, as in `0.0.0.0:8080` and `[::]:8080`. */
  readonly host: string;
}

/** The ports that a container which runs publishes, in the order of its own. */
export function publishedPorts({ ports }: Container): readonly PublishedPort[] {
  return ports
    .toSorted((one, other) => one.target.port - other.target.port)
    .map(({ protocol, host, target }) => {
      const address = formatAddress(host.address);
      const written = address.includes(":") ? `[${address}]` : address;
      return { port: `${target.port}/${protocol}`, address, hostPort: host.port, host: `${written}:${host.port}` };
    });
}

/** The ports of a container as Docker's list has them: `0.0.0.0:8080->80/tcp, [::]:8080->80/tcp`. */
export function portsText(container: Container): string {
  return publishedPorts(container)
    .map(({ port, host }) => `${host}->${port}`)
    .join(", ");
}
