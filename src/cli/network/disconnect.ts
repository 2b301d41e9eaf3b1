import { dataDirectory } from "../../engine/data-directory.ts";
import { findContainer } from "../../engine/lifecycle/find-container.ts";
import { whileThere } from "../../engine/lifecycle/while-there.ts";
import { disconnectContainer } from "../../engine/network/connect-container.ts";
import { findNetworkOf } from "../../engine/network/find-network.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";

/** `bunker network disconnect`. */
export const disconnect = defineCommand(
  {
    options: {
      force: flag({ name: "force", short: "f", description: "Even while another command works on the container" }),
    },
    required: ["NETWORK", "CONTAINER"],
    failureStatus: 1,
  },
  async ({ options, operands: [network, container] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const found = findContainer(database, data, container);
    const there = findNetworkOf(database, found.id, network);
    await whileThere(database, data, found, () => disconnectContainer(database, data, found, there, options));
    return 0;
  },
);
