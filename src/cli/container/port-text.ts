import type { PortBinding } from "../../engine/network/network-plan-schema.ts";
import type { ContainerDefinition } from "../../engine/state/container-definition.ts";
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

/** A port that a container serves, or says so. */
export interface ContainerPort {
  readonly protocol: string;
  readonly port: number;
}

/** What of a container says which ports it has. */
type PortedContainer = Pick<Container, "ports" | "status"> & {
  readonly definition: Pick<ContainerDefinition, "membership" | "networkPlan" | "shown">;
};

function hostText(address: string, port: number | string): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** The ports that a container which runs publishes, in the order of its own. */
export function publishedPorts({ ports }: Pick<Container, "ports">): readonly PublishedPort[] {
  return ports
    .toSorted((one, other) => one.target.port - other.target.port)
    .map(({ protocol, host, target }) => {
      const address = formatAddress(host.address);
      const port = `${target.port}/${protocol}`;
      return { port, address, hostPort: host.port, host: hostText(address, host.port) };
    });
}

/** The ports that a container, or its image, says it serves, published or not. */
export function exposedPorts({ definition }: Pick<PortedContainer, "definition">): readonly ContainerPort[] {
  const { ExposedPorts = {} } = definition.shown.configuration as { readonly ExposedPorts?: object };
  return readExposedPorts(ExposedPorts);
}

/** Reads `ExposedPorts` of a configuration. */
export function readExposedPorts(exposed: object): readonly ContainerPort[] {
  return Object.keys(exposed).flatMap((text) => {
    const [, first, last = first, protocol = "tcp"] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(\w+))?$/.exec(text) ?? [];
    const count = first === undefined ? 0 : Math.max(0, Number(last) - Number(first) + 1);
    return Array.from({ length: count }, (_, index) => ({ protocol, port: Number(first) + index }));
  });
}

/** Those of them that no port of the host leads to: none while it does not run, or has no network of Bunker's. */
export function unpublishedPorts(container: PortedContainer): readonly ContainerPort[] {
  const { definition, ports, status } = container;
  if (status !== "running" && status !== "paused") return [];
  if (definition.networkPlan === undefined && definition.membership === undefined) return [];
  return withoutPublished(exposedPorts(container), ports);
}

/** Of some ports those that no port of the host leads to, each once. */
export function withoutPublished(
  exposed: readonly ContainerPort[],
  published: readonly PortBinding[],
): readonly ContainerPort[] {
  const left = exposed.filter(
    ({ protocol, port }) => !published.some((other) => other.protocol === protocol && other.target.port === port),
  );
  return [...new Map(left.map((port) => [`${port.port}/${port.protocol}`, port])).values()];
}

interface ListedPort extends ContainerPort {
  /** Empty for one that is not published. */
  readonly address: string;
  readonly hostPort: number;
}

/** Ports that follow each other, with the same ports of the host or none. */
interface PortRun extends ListedPort {
  readonly last: number;
}

/** By the container's port, the host's address and port, and the protocol. */
function compareListed(one: ListedPort, other: ListedPort): number {
  return (
    one.port - other.port ||
    compareText(one.address, other.address) ||
    one.hostPort - other.hostPort ||
    compareText(one.protocol, other.protocol)
  );
}

function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function runText({ address, port, last, protocol }: PortRun): string {
  const ports = port === last ? String(port) : `${port}-${last}`;
  return `${address === "" ? "" : `${hostText(address, ports)}->`}${ports}/${protocol}`;
}

/**
 * The ports of a container as Docker's list has them, in its order: `443/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp`.
 * Ports that follow each other are one word (`8080-8082/tcp`, `0.0.0.0:90-91->90-91/tcp`) unless the host's differ.
 */
export function portsText(bindings: readonly PortBinding[], others: readonly ContainerPort[]): string {
  const published = bindings.map(({ protocol, host, target }) => {
    return { protocol, port: target.port, address: formatAddress(host.address), hostPort: host.port };
  });
  const unpublished = others.map((port) => ({ ...port, address: "", hostPort: 0 }));
  const ended: PortRun[] = [];
  const current = new Map<string, PortRun>();
  const elsewhere: string[] = [];
  for (const listed of [...unpublished, ...published].toSorted(compareListed)) {
    const { address, hostPort, port, protocol } = listed;
    if (address !== "" && hostPort !== port) {
      elsewhere.push(`${hostText(address, hostPort)}->${port}/${protocol}`);
      continue;
    }
    const key = `${address}/${protocol}`;
    const run = current.get(key);
    if (run !== undefined && port === run.last + 1) {
      current.set(key, { ...run, last: port });
      continue;
    }
    if (run !== undefined) ended.push(run);
    current.set(key, { ...listed, last: port });
  }
  return [...[...ended, ...current.values()].map(runText), ...elsewhere].join(", ");
}
