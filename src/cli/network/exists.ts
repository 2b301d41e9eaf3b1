import { dataDirectory } from "../../engine/data-directory.ts";
import { predefinedNetwork } from "../../engine/network/predefined-networks.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { lookUpNetwork } from "../../engine/state/networks.ts";
import { defineCommand } from "../command.ts";

/** `bunker network exists`. */
export const exists = defineCommand({ options: {}, required: ["NETWORK"] }, ({ operands: [name] }) => {
  using database = openContainers(dataDirectory());
  return (predefinedNetwork(name) ?? lookUpNetwork(database, name)) === undefined ? 1 : 0;
});
