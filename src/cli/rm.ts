import { findContainer, removeContainer } from "../engine/container-record.ts";
import { dataDirectory } from "../engine/data-directory.ts";
import { ownershipOf, removeOwnedTree } from "../engine/ownership.ts";
import { defineCommand } from "./command.ts";
import { reportError } from "./report-error.ts";

/** `bunker rm`. */
export const rm = defineCommand(
  { options: {}, required: ["CONTAINER"], optional: "[CONTAINER...]" },
  async ({ operands }) => {
    const data = dataDirectory();
    const { userNamespace } = ownershipOf({ kind: "default" }, data);
    let status = 0;
    // As Docker: each is tried, whatever became of the others.
    for (const reference of operands) {
      try {
        removeContainer(data, findContainer(data, reference), (path) => removeOwnedTree(path, userNamespace));
        console.log(reference);
      } catch (error) {
        await reportError(error);
        status = 1;
      }
    }
    return status;
  },
);
