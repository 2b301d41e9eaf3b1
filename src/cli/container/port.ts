import { dataDirectory } from "../../engine/data-directory.ts";
import { findContainer, openContainers } from "../../engine/state/containers.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";

/** `bunker port`. */
export const port = defineCommand(
  { options: {}, required: ["CONTAINER"], optional: "[PORT[/PROTOCOL]]", optionalLimit: 1, failureStatus: 1 },
  ({ operands: [reference, wanted] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const container = findContainer(database, data, reference);
    if (wanted === undefined) return 0;
    throw new BunkerError({
      code: "port_not_published",
      operation: "show port",
      object: wanted,
      reason: `container ${container.name} publishes no such port`,
      exitStatus: 1,
    });
  },
);
