import { attachToRunning } from "../../engine/attach/attach-to-running.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { notRunning } from "../../engine/lifecycle/not-running.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import { namedOrLatest } from "./latest-container.ts";
import { latestOption } from "./latest-option.ts";
import { detachKeysOption, signalProxyOption } from "./life-options.ts";

/** `bunker attach`. */
export const attach = defineCommand(
  {
    options: {
      latest: latestOption,
      detachKeys: detachKeysOption,
      withoutInput: flag({ name: "no-stdin", description: "Do not attach to its input" }),
      signalProxy: signalProxyOption,
    },
    insteadOfFirst: ["latest"],
    required: ["CONTAINER"],
  },
  async ({ options: { detachKeys, signalProxy, withoutInput, ...options }, operands: [reference] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const container = namedOrLatest(database, data, reference, options);
    const status = await attachToRunning(database, data, container, {
      interactive: !withoutInput,
      detachKeys,
      signalProxy,
      remedy: "start from a terminal, or look only, by --no-stdin",
    });
    if (status === undefined) throw notRunning("attach to container", container);
    return status;
  },
);
