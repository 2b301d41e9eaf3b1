/*
 * The network of a container that starts, on the side of the command that starts it: the host's ports are bound before there
 * is a container, its device is made while it waits in its new namespaces, and both go to its supervisor, which serves
 * them; network/serve-network.ts.
 */
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { MOST_DESCRIPTORS } from "../../sys/message-socket.ts";
import type { NetworkPlan, PortBinding } from "../network/network-plan-schema.ts";
import { tell } from "../supervisor/connect.ts";

/** A network whose ports are bound. */
export interface OpenNetwork extends Disposable {
  readonly bindings: readonly PortBinding[];
  /** For `launchContainer`: makes the device in the container's namespaces. */
  readonly makeDevice: (pidfd: number) => void;
  /** Gives everything to the supervisor, before `supervise`. */
  readonly handOver: (supervisor: FileDescriptor) => void;
}

/**
 * Binds the ports of a container's network.
 * @param plan undefined for a container without a network of its own
 * @param hasUserNamespace whether the container has a user namespace of its own
 * @throws BunkerError when a port is taken or not permitted
 */
export async function openNetwork(
  plan: NetworkPlan | undefined,
  hasUserNamespace: boolean,
): Promise<OpenNetwork | undefined> {
  if (plan === undefined) return undefined;
  // Only who starts a container with a network has a use for this.
  const [{ bindPorts }, { openDevice }] = await Promise.all([
    import("../network/bound-ports.ts"),
    import("../network/network-device.ts"),
  ]);
  using cleanup = new DisposableStack();
  const ports = bindPorts(plan).map((port) => cleanup.use(port));
  const owner = cleanup.move();
  let device: FileDescriptor | undefined;
  return {
    bindings: ports.map(({ binding }) => binding),
    makeDevice: (pidfd) => {
      device = owner.use(openDevice(plan, pidfd, hasUserNamespace));
    },
    handOver: (supervisor) => {
      if (device === undefined) throw new Error("the container's network device has not been made");
      tell(supervisor, { kind: "network", configuration: plan.configuration }, [device.number]);
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
    [Symbol.dispose]: () => owner.dispose(),
  };
}
