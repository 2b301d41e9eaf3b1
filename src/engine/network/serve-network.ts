import type { NetworkConfiguration } from "../../network/configuration.ts";
import { Stack } from "../../network/stack.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import type { Reactor } from "../../sys/reactor.ts";
import type { PortBinding } from "./network-plan-schema.ts";

/** What a supervisor is handed of its container's network. */
export interface HandedNetwork {
  readonly configuration: NetworkConfiguration;
  /** The file of the container's device. */
  readonly device: FileDescriptor;
  readonly ports: readonly (PortBinding & { readonly socket: FileDescriptor })[];
}

/** Serves a container's network in a loop, until what is returned is disposed, with all that was handed over. */
export function serveNetwork(reactor: Reactor, { configuration, device, ports }: HandedNetwork): Disposable {
  const cleanup = new DisposableStack();
  cleanup.use(device);
  // A container that has deleted its device has no network any more, which is its own affair.
  const stack = cleanup.use(new Stack(reactor, { device: device.number, configuration, onEnd: () => {} }));
  for (const { protocol, host, target, socket } of ports) {
    stack.publish({ protocol, host, socket, [Symbol.dispose]: () => socket.close() }, target);
  }
  return cleanup;
}
