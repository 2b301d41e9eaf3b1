import { ContainerDirectory, type ShownState } from "../../runtime/lifecycle/container-record.ts";
import { stateRoot } from "../../runtime/lifecycle/state-root.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { formatOption } from "./format-option.ts";
import type { RuntimeGlobals } from "./globals.ts";
import { warn } from "./log.ts";
import { renderTable } from "./table.ts";

/** `bunker runtime list`. */
export const list = defineCommand(
  {
    options: {
      format: formatOption,
      quiet: flag({ name: "quiet", short: "q", description: "Show ids only" }),
    },
    isBrief: true,
    required: [],
  },
  ({ options }, globals: RuntimeGlobals) => {
    const root = stateRoot(globals.root);
    const ids = ContainerDirectory.ids(root);
    if (options.quiet) {
      for (const id of ids) print(id);
      return 0;
    }
    const states = ids.flatMap((id) => stateOf(root, id, globals) ?? []);
    if (options.format === "json") print(JSON.stringify(states));
    else {
      const rows = states.map((state) => [
        state.id,
        String(state.pid),
        state.status,
        state.bundle,
        state.created,
        state.owner,
      ]);
      print(renderTable([["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"], ...rows]));
    }
    return 0;
  },
);

/**
 * The state of a container.
 * @returns undefined when it has been deleted meanwhile; and with a warning when it cannot be read: that is no reason to
 * leave out the others
 */
function stateOf(root: string, id: string, globals: RuntimeGlobals): ShownState | undefined {
  try {
    using directory = ContainerDirectory.open(root, id);
    return directory.state();
  } catch (error) {
    if (!(error instanceof BunkerError)) throw error;
    if (error.code !== "container_not_found") warn(globals, error.message);
    return undefined;
  }
}
