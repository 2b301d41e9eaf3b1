import { errnoName } from "../../sys/errno.ts";
import { recordNetworkEvent } from "../events/journal.ts";
import { predefinedNetwork } from "./predefined-networks.ts";
import type { LostLink } from "./serve-network.ts";

/** Writes down that a container has lost the device of a network. */
export function recordLoss(data: string, container: string, { network, errno }: LostLink): void {
  const lost = network ?? predefinedNetwork("bridge");
  if (lost === undefined) throw new Error("there is no predefined bridge");
  recordNetworkEvent(data, "disconnect", lost, { container, error: `the device is gone: ${errnoName(errno)}` });
}
