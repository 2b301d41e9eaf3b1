import { dataDirectory } from "../../engine/data-directory.ts";
import { listContainers } from "../../engine/lifecycle/find-container.ts";
import { type Container, openContainers } from "../../engine/state/containers.ts";
import { leaveMemory } from "../../launch/leave-memory.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { shortId } from "../format/short-id.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { namedOrLatest } from "./latest-container.ts";
import { latestOption } from "./latest-option.ts";
import { publishedPorts } from "./port-text.ts";

/** `bunker port`. */
export const port = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "The ports of all containers, each with its id" }),
      latest: latestOption,
    },
    insteadOfFirst: ["all", "latest"],
    leave: leaveMemory,
    required: ["CONTAINER"],
    optional: "[PORT[/PROTOCOL]]",
    optionalLimit: 1,
    failureStatus: 1,
  },
  ({ options, operands: [reference, wanted] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    if (options.all) {
      if (wanted !== undefined || options.latest) {
        throw new BunkerError({ code: "conflicting_options", operation: "--all goes with neither names nor --latest" });
      }
      for (const container of listContainers(database, data)) showPorts(container, `${shortId(container.id)}\t`);
      return 0;
    }
    const container = namedOrLatest(database, data, reference, options);
    if (wanted === undefined) {
      showPorts(container, "");
      return 0;
    }
    const [number = "", protocol = "tcp"] = wanted.split("/");
    const published = publishedPorts(container).filter(({ port }) => port === `${number}/${protocol}`);
    for (const { host } of published) print(host);
    if (published.length > 0) return 0;
    throw new BunkerError({
      code: "port_not_published",
      operation: "show port",
      object: wanted,
      reason: `container ${container.name} publishes no such port`,
      exitStatus: 1,
    });
  },
);

function showPorts(container: Container, prefix: string): void {
  for (const { port, host } of publishedPorts(container)) print(`${prefix}${port} -> ${host}`);
}
