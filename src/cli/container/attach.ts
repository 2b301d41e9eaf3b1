import { checkTerminal, receiveSignals } from "../../engine/attach/attachment.ts";
import { parseDetachKeys } from "../../engine/attach/detach-keys.ts";
import { requestAttachment, stayAttached, tellSize } from "../../engine/attach/supervised-attachment.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { recordContainerEvent } from "../../engine/events/journal.ts";
import { notRunning, supervisorOf } from "../../engine/lifecycle/stop-container.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { tell } from "../../engine/supervisor/connect.ts";
import { supervisorLost } from "../../engine/supervisor/supervisor-loss.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import { latestOption, namedOrLatest } from "./latest-container.ts";
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
  async ({ options, operands: [reference] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const container = namedOrLatest(database, data, reference, options);
    const { terminal, openInput } = container.definition;
    using socket = supervisorOf(database, data, container.id);
    if (socket === undefined) throw notRunning("attach to container", container);
    const input = openInput && !options.withoutInput;
    checkTerminal({ interactive: input, terminal }, "start from a terminal, or look only, by --no-stdin");
    using signals = receiveSignals(options.signalProxy);
    const attachment = {
      input,
      output: true,
      error: true,
      terminal,
      detachKeys: parseDetachKeys(options.detachKeys),
      signals,
    };
    const streams = requestAttachment(socket, attachment);
    tell(socket, { kind: "wait" });
    tellSize(socket, terminal);
    recordContainerEvent(data, "attach", container);
    const end = await stayAttached(socket, streams, attachment);
    if (end.kind === "detached") {
      recordContainerEvent(data, "detach", container);
      return 0;
    }
    if (end.kind === "lost") throw supervisorLost(container.name, end);
    return end.exitStatus;
  },
);
