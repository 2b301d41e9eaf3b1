import { ContainerDirectory } from "../../runtime/lifecycle/container-record.ts";
import { deleteContainer } from "../../runtime/lifecycle/delete-container.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import { actOnChosen, regexOption } from "./chosen-containers.ts";
import type { RuntimeGlobals } from "./globals.ts";
import { warn } from "./log.ts";

/** `bunker runtime delete`; with --force a container that is not there is no error, as with runc. */
export const deleteCommand = defineCommand(
  {
    options: {
      force: flag({ name: "force", short: "f", description: "Kill the container if it still runs" }),
      regex: regexOption,
    },
    isBrief: true,
    required: ["ID"],
  },
  ({ options, operands: [id] }, globals: RuntimeGlobals) => {
    const root = stateRoot(globals.root);
    return actOnChosen(root, id, options.regex, globals, (chosen) => {
      try {
        using directory = ContainerDirectory.open(root, chosen);
        deleteContainer(directory, options.force, (message) => warn(globals, message));
      } catch (error) {
        const isGone = error instanceof BunkerError && error.code === "container_not_found";
        if (!options.force || !isGone) throw error;
      }
    });
  },
);
