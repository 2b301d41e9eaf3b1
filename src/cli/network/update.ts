import { dataDirectory } from "../../engine/data-directory.ts";
import { findNetwork } from "../../engine/network/find-network.ts";
import { changeResolvers } from "../../engine/network/update-network.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { defineCommand } from "../command.ts";
import { list } from "../option.ts";
import { print } from "../print.ts";
import { parseAddresses } from "../values/names-and-addresses.ts";

/** `bunker network update`. */
export const update = defineCommand(
  {
    options: {
      added: list({
        name: "dns-add",
        valueName: "ADDRESS",
        description: "Ask it, too, for names of the outside",
        parse: parseAddresses,
      }),
      dropped: list({
        name: "dns-drop",
        valueName: "ADDRESS",
        description: "Ask it no more",
        parse: parseAddresses,
      }),
    },
    required: ["NETWORK"],
    failureStatus: 1,
  },
  ({ options: { added, dropped }, operands: [reference] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const network = findNetwork(database, reference);
    changeResolvers(database, data, network, { added: added.flat(), dropped: dropped.flat() });
    print(network.name);
    return 0;
  },
);
