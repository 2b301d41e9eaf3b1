import { dataDirectory } from "../../engine/data-directory.ts";
import { findAnyNetwork } from "../../engine/network/find-network.ts";
import { predefinedNetwork } from "../../engine/network/predefined-networks.ts";
import { removeContainersOn, removeNetwork } from "../../engine/network/remove-network.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { stopOptions } from "../container/stop.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { reportError } from "../report-error.ts";

/** `bunker network rm`. */
export const remove = defineCommand(
  {
    options: {
      force: flag({
        name: "force",
        short: "f",
        description: "Stop and remove the containers on it as well; no error if it is not there",
      }),
      timeout: stopOptions.timeout,
    },
    required: ["NETWORK"],
    optional: "[NETWORK...]",
    failureStatus: 1,
  },
  async ({ options: { force, timeout }, operands }) => {
    if (timeout !== undefined && !force) {
      const operation = "--timeout is for containers that are removed, with --force";
      throw new BunkerError({ code: "conflicting_options", operation, exitStatus: 1 });
    }
    const data = dataDirectory();
    using database = openContainers(data);
    let status = 0;
    for (const reference of operands) {
      try {
        const network = findAnyNetwork(database, reference);
        if (predefinedNetwork(network.name) !== undefined) throw cannotRemove(network.name);
        if (force) removeContainersOn(database, data, network, { timeout });
        removeNetwork(database, data, network);
        print(reference);
      } catch (error) {
        if (force && error instanceof BunkerError && error.code === "no_such_network") continue;
        await reportError(error);
        status = 1;
      }
    }
    return status;
  },
);

function cannotRemove(name: string): BunkerError {
  const reason = `${name} is a pre-defined network and cannot be removed`;
  return new BunkerError({
    code: "predefined_network",
    operation: "remove network",
    object: name,
    reason,
    exitStatus: 1,
  });
}
