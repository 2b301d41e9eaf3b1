import { dataDirectory } from "../../engine/data-directory.ts";
import { recordContainerEvent } from "../../engine/events/journal.ts";
import { renameOnNetworks } from "../../engine/network/connect-container.ts";
import { findContainer, openContainers, renameContainer } from "../../engine/state/containers.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { InvalidValue } from "../invalid-value.ts";
import { parseContainerName } from "../values/words.ts";

/** `bunker rename`. */
export const rename = defineCommand(
  { options: {}, required: ["CONTAINER", "NAME"] },
  ({ operands: [reference, name] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const container = findContainer(database, data, reference);
    renameContainer(database, container.id, checkedName(name));
    renameOnNetworks(database, data, { ...container, name });
    recordContainerEvent(data, "rename", { ...container, name }, { oldName: `/${container.name}` });
    return 0;
  },
);

function checkedName(name: string): string {
  try {
    return parseContainerName(name);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw new BunkerError({
      code: "invalid_name",
      operation: "use the container name",
      object: JSON.stringify(name),
      reason: error.message,
      exitStatus: 1,
    });
  }
}
