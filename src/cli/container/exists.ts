import { dataDirectory } from "../../engine/data-directory.ts";
import { findContainer } from "../../engine/lifecycle/find-container.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";

/** `bunker container exists`. */
export const exists = defineCommand({ options: {}, required: ["CONTAINER"] }, ({ operands: [reference] }) => {
  const data = dataDirectory();
  using database = openContainers(data);
  try {
    findContainer(database, data, reference);
    return 0;
  } catch (error) {
    if (error instanceof BunkerError && error.code === "no_such_container") return 1;
    throw error;
  }
});
