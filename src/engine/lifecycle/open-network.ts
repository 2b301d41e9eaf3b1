/*
 * The networks of a container that starts, on the side of the command that starts it: the host's ports are bound before
 * there is a container, its devices are made while it waits in its new namespaces, and both go to its supervisor, which
 * serves them; network/serve-network.ts.
 */
import { leadsOutside } from "../../network/configuration.ts";
import type { ContainerNamespaces } from "../../runtime/launch-container.ts";
import { BunkerError } from "../../sys/error.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { MOST_DESCRIPTORS } from "../../sys/message-socket.ts";
import type { ContainerLink } from "../network/container-links.ts";
import type { PortBinding, PortForward } from "../network/network-plan-schema.ts";
import { inRouteOrder } from "../network/route-order.ts";
import { nextAnswer, tell } from "../supervisor/connect.ts";

/** Networks whose ports are bound. */
export interface OpenNetwork extends Disposable {
  readonly bindings: readonly PortBinding[];
  /** For `launchContainer`: makes the devices in the container's namespaces. */
  readonly makeDevices: (namespaces: ContainerNamespaces) => void;
  /** Gives everything to the supervisor, before `supervise`. */
  readonly handOver: (supervisor: FileDescriptor) => void;
  /**
   * Waits until the networks that the container shares with others are served, so that who is told that it has started
   * can reach it.
   * @throws BunkerError `network_not_served`
   */
  readonly awaitService: (supervisor: FileDescriptor) => void;
}

/**
 * Binds the ports of a container's networks.
 * @param links none for a container without a network of Bunker's
 * @param hasUserNamespace whether the container has a user namespace of its own
 * @throws BunkerError when a port is taken or not permitted
 */
export async function openNetwork(
  links: readonly ContainerLink[],
  forwards: readonly PortForward[],
  hasUserNamespace: boolean,
): Promise<OpenNetwork | undefined> {
  if (links.length === 0) return undefined;
  // Only who starts a container with a network has a use for this.
  const [{ bindPorts }, { openDevice }] = await Promise.all([
    import("../network/bound-ports.ts"),
    import("../network/network-device.ts"),
  ]);
  using cleanup = new DisposableStack();
  const outward = inRouteOrder(links).find(({ configuration }) => leadsOutside(configuration))?.configuration;
  const ports = outward === undefined ? [] : bindPorts(outward, forwards).map((port) => cleanup.use(port));
  const owner = cleanup.move();
  const devices: FileDescriptor[] = [];
  return {
    bindings: ports.map(({ binding }) => binding),
    makeDevices: ({ network, user }) => {
      const place = { network, user: hasUserNamespace ? user : undefined };
      for (const link of links) devices.push(owner.use(openDevice(link, place)));
    },
    handOver: (supervisor) => {
      for (const [index, { configuration, metric, membership }] of links.entries()) {
        const device = devices[index];
        if (device === undefined) throw new Error("the container's network devices have not been made");
        tell(supervisor, { kind: "network", configuration, metric, membership }, [device.number]);
      }
      for (let first = 0; first < ports.length; first += MOST_DESCRIPTORS) {
        const some = ports.slice(first, first + MOST_DESCRIPTORS);
        const request = { kind: "ports", bindings: some.map(({ binding }) => binding) } as const;
        tell(
          supervisor,
          request,
          some.map(({ socket }) => socket.number),
        );
      }
    },
    awaitService: (supervisor) => {
      for (const { membership } of links) if (membership !== undefined) awaitServed(supervisor);
    },
    [Symbol.dispose]: () => owner.dispose(),
  };
}

/**
 * Waits until a supervisor serves a network that it was handed.
 * @throws BunkerError `network_not_served`
 */
export function awaitServed(supervisor: FileDescriptor): void {
  const answer = nextAnswer(supervisor);
  if (answer?.kind !== "served" || answer.error === undefined) return;
  throw new BunkerError({ code: "network_not_served", operation: "join the network", reason: answer.error });
}
