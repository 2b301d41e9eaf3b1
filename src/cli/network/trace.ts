/*
 * `network trace`: the flows between a container and the outside, and between it and other containers, again and again.
 * On a terminal each list takes the place of the one before; elsewhere they follow each other. It ends with the
 * container.
 */
import { dataDirectory } from "../../engine/data-directory.ts";
import { findContainer } from "../../engine/lifecycle/find-container.ts";
import { containerFlows } from "../../engine/network/container-flows.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { connectToSupervisor } from "../../engine/supervisor/connect.ts";
import { formatEndpoint } from "../../network/address.ts";
import type { FlowSummary } from "../../network/flow-summary.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { listFormatOption } from "../format/format-option.ts";
import { humanSize } from "../format/human-size.ts";
import { formatList, type ListDescription } from "../format/list-output.ts";
import { liveList, liveListOptions } from "../format/live-list.ts";
import type { Structure } from "../format/template/value.ts";

const flowList: ListDescription = {
  titles: {
    Inside: "CONTAINER'S END",
    Name: "NAME",
    Outside: "OTHER END",
    Protocol: "PROTOCOL",
    Received: "RECEIVED",
    ReceivedBytes: "RECEIVED BYTES",
    Sent: "SENT",
    SentBytes: "SENT BYTES",
    State: "STATE",
  },
  columns: ["Protocol", "Inside", "Outside", "Name", "Sent", "Received", "State"],
};

/** `bunker network trace`. */
export const trace = defineCommand(
  {
    options: {
      format: listFormatOption,
      ...liveListOptions,
    },
    required: ["CONTAINER"],
    failureStatus: 1,
  },
  async ({ options: { format, interval, noReset, noStream }, operands: [reference] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const { id, name, definition } = findContainer(database, data, reference);
    using supervisor = connectToSupervisor(data, id);
    const hasNetwork = definition.networkPlan !== undefined || definition.membership !== undefined;
    if (supervisor === undefined || !hasNetwork) {
      const reason = supervisor === undefined ? "it is not running" : "its network is none of Bunker's";
      throw new BunkerError({
        code: "no_network",
        operation: "trace the network of",
        object: name,
        reason,
        exitStatus: 1,
      });
    }
    const show = liveList({ noReset, noStream });
    for (;;) {
      const flows = containerFlows(database, data, id, supervisor);
      if (flows === undefined) return 0;
      const rows = flows.toSorted((one, other) => trafficOf(other) - trafficOf(one)).map(row);
      const text = await formatList(flowList, format, rows);
      show(text);
      if (noStream) return 0;
      await Bun.sleep(interval * 1000);
    }
  },
);

function trafficOf({ sent, received }: FlowSummary): number {
  return sent + received;
}

function row({ protocol, inside, outside, sent, received, state, name = "" }: FlowSummary): Structure {
  return {
    Inside: formatEndpoint(inside),
    Name: name,
    Outside: formatEndpoint(outside),
    Protocol: protocol,
    Received: humanSize(received),
    ReceivedBytes: String(received),
    Sent: humanSize(sent),
    SentBytes: String(sent),
    State: state,
  };
}
