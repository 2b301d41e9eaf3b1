import { dataDirectory } from "../../engine/data-directory.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { latestOption, namedOrLatest } from "./meant-containers.ts";
import { publishedPorts } from "./port-text.ts";

/** `bunker port`. */
export const port = defineCommand(
  {
    options: { latest: latestOption },
    insteadOfFirst: "latest",
    required: ["CONTAINER"],
    optional: "[PORT[/PROTOCOL]]",
    optionalLimit: 1,
    failureStatus: 1,
  },
  ({ options, operands: [reference, wanted] }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const container = namedOrLatest(database, data, reference, options);
    const [number = "", protocol = "tcp"] = (wanted ?? "").split("/");
    const published = publishedPorts(container).filter(
      ({ port }) => wanted === undefined || port === `${number}/${protocol}`,
    );
    for (const { port, host } of published) console.log(wanted === undefined ? `${port} -> ${host}` : host);
    if (wanted === undefined || published.length > 0) return 0;
    throw new BunkerError({
      code: "port_not_published",
      operation: "show port",
      object: wanted,
      reason: `container ${container.name} publishes no such port`,
      exitStatus: 1,
    });
  },
);
