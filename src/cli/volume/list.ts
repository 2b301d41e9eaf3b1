import { dataDirectory } from "../../engine/data-directory.ts";
import { ownedTreeSize, ownershipOf } from "../../engine/ownership.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { findVolume, listVolumes, usersOf } from "../../engine/state/volumes.ts";
import { volumeContent } from "../../engine/volumes/volume-directory.ts";
import { defineCommand } from "../command.ts";
import { filterOption } from "../filters/filter-option.ts";
import { listFormatOption } from "../format/format-option.ts";
import { humanSize } from "../format/human-size.ts";
import { formatList, type ListDescription } from "../format/list-output.ts";
import { printText } from "../format/print-text.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { VOLUME_FILTERS, volumeFilter } from "./volume-filters.ts";

const volumeList: ListDescription = {
  titles: {
    Availability: "AVAILABILITY",
    Driver: "DRIVER",
    Group: "GROUP",
    Labels: "LABELS",
    Links: "LINKS",
    Mountpoint: "MOUNTPOINT",
    Name: "VOLUME NAME",
    Scope: "SCOPE",
    Size: "SIZE",
    Status: "STATUS",
  },
  columns: ["Driver", "Name"],
};

/** What Docker shows of volumes of a Swarm's cluster. */
const NOT_OF_A_CLUSTER = { Availability: "N/A", Group: "N/A", Status: "N/A" };

/** `bunker volume ls`. */
export const list = defineCommand(
  {
    options: {
      filters: filterOption(VOLUME_FILTERS, "f"),
      format: listFormatOption,
      isWithoutHeading: flag({ name: "noheading", description: "Leave out the line of titles" }),
      quiet: flag({ name: "quiet", short: "q", description: "Show only names" }),
    },
    required: [],
    failureStatus: 1,
  },
  async ({ options: { filters, format, isWithoutHeading, quiet } }) => {
    const data = dataDirectory();
    using database = openContainers(data);
    const links = (name: string) => usersOf(database, data, name).length;
    const fits = volumeFilter(filters, {
      isUsed: ({ name }) => links(name) > 0,
      createdOf: (name) => findVolume(database, name).created,
      now: Date.now(),
    });
    const volumes = listVolumes(database).filter(fits);
    if (quiet && format === undefined) {
      for (const { name } of volumes) print(name);
      return 0;
    }
    const rows = volumes.map(({ name, labels }) => ({
      ...NOT_OF_A_CLUSTER,
      Driver: "local",
      Label: (key: string) => labels[key] ?? "",
      Labels: Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(","),
      get Links() {
        return String(links(name));
      },
      Mountpoint: volumeContent(data, name),
      Name: name,
      Scope: "local",
      get Size() {
        const { userNamespace } = ownershipOf({ kind: "default" }, data);
        return humanSize(ownedTreeSize(volumeContent(data, name), userNamespace));
      },
    }));
    printText(await formatList({ ...volumeList, isWithoutHeading }, format, rows));
    return 0;
  },
);
