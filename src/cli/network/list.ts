import { dataDirectory } from "../../engine/data-directory.ts";
import { PREDEFINED_NETWORKS } from "../../engine/network/predefined-networks.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { activeEndpoints, listNetworks } from "../../engine/state/networks.ts";
import { defineCommand } from "../command.ts";
import { filterOption } from "../filters/filter-option.ts";
import { listFormatOption } from "../format/format-option.ts";
import { formatList, type ListDescription } from "../format/list-output.ts";
import { localTime } from "../format/local-time.ts";
import { printText } from "../format/print-text.ts";
import { shortId } from "../format/short-id.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { driverOf } from "./inspection.ts";
import { NETWORK_FILTERS, networkFilter } from "./network-filters.ts";

const networkList: ListDescription = {
  titles: {
    CreatedAt: "CREATED AT",
    Driver: "DRIVER",
    ID: "NETWORK ID",
    IPv4: "IPV4",
    IPv6: "IPV6",
    Internal: "INTERNAL",
    Labels: "LABELS",
    Name: "NAME",
    Scope: "SCOPE",
  },
  columns: ["ID", "Name", "Driver", "Scope"],
};

/** `bunker network ls`. */
export const list = defineCommand(
  {
    options: {
      filters: filterOption(NETWORK_FILTERS, "f"),
      format: listFormatOption,
      isWithoutHeading: flag({ name: "noheading", description: "Leave out the line of titles" }),
      whole: flag({ name: "no-trunc", description: "Do not shorten ids" }),
      quiet: flag({ name: "quiet", short: "q", description: "Show only ids" }),
    },
    required: [],
    failureStatus: 1,
  },
  async ({ options: { filters, format, isWithoutHeading, quiet, whole } }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const fits = networkFilter(filters, ({ id }) => activeEndpoints(database, data, id).length > 0, Date.now());
    const all = [...PREDEFINED_NETWORKS, ...listNetworks(database)].filter(fits);
    const networks = all.toSorted((one, other) => (one.name < other.name ? -1 : 1));
    const shown = (id: string) => (whole ? id : shortId(id));
    if (quiet && format === undefined) {
      for (const { id } of networks) print(shown(id));
      return 0;
    }
    const rows = networks.map((network) => {
      const { id, name, created, isInternal, labels, subnets } = network;
      return {
        get CreatedAt() {
          return localTime(created);
        },
        Driver: driverOf(network),
        ID: shown(id),
        IPv4: String(subnets.length > 0),
        IPv6: String(subnets.length > 1),
        Internal: String(isInternal),
        Label: (key: string) => labels[key] ?? "",
        Labels: Object.entries(labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(","),
        Name: name,
        Scope: "local",
      };
    });
    printText(await formatList({ ...networkList, isWithoutHeading }, format, rows));
    return 0;
  },
);
