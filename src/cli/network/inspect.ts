import { dataDirectory } from "../../engine/data-directory.ts";
import { findAnyNetwork } from "../../engine/network/find-network.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { defineCommand } from "../command.ts";
import { inspectFormatOption } from "../format/format-option.ts";
import { printInspections } from "../inspect-output.ts";
import { inspectNetwork } from "./inspection.ts";

/** `bunker network inspect`. */
export const inspect = defineCommand(
  { options: { format: inspectFormatOption }, required: ["NETWORK"], optional: "[NETWORK...]", failureStatus: 1 },
  async ({ options: { format }, operands }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const find = (name: string) => inspectNetwork(database, data, findAnyNetwork(database, name));
    return await printInspections(operands, format, find);
  },
);
