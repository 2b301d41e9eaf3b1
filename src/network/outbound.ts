import { bind, bindToDevice } from "../sys/internet-socket.ts";
import type { NetworkConfiguration } from "./configuration.ts";

/** Binds an outbound socket of the host as it is configured; the kernel's result. */
export function bindOutbound(socket: number, version: 4 | 6, configuration: NetworkConfiguration): number {
  const { address, device } = (version === 4 ? configuration.outbound4 : configuration.outbound6) ?? {};
  if (device !== undefined) return bindToDevice(socket, device);
  return address === undefined ? 0 : bind(socket, address, 0);
}
