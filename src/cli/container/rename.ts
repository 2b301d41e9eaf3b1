import { dataDirectory } from "../../engine/data-directory.ts";
import { recordContainerEvent } from "../../engine/events/journal.ts";
import { findContainer } from "../../engine/lifecycle/find-container.ts";
import { whileThere } from "../../engine/lifecycle/while-there.ts";
import { renameOnNetworks } from "../../engine/network/connect-container.ts";
import { openContainers, renameContainer } from "../../engine/state/containers.ts";
import { defineCommand } from "../command.ts";
import { readContainerNameOperand } from "./name-operand.ts";

/** `bunker rename`. */
export const rename = defineCommand(
  { options: {}, required: ["CONTAINER", "NAME"], failureStatus: 1 },
  async ({ operands: [reference, name] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const container = findContainer(database, data, reference);
    renameContainer(database, container.id, readContainerNameOperand(name));
    await whileThere(database, data, container, () => renameOnNetworks(database, data, { ...container, name }));
    recordContainerEvent(data, "rename", { ...container, name }, { oldName: `/${container.name}` });
    return 0;
  },
);
