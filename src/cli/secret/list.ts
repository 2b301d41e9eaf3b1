import { dataDirectory } from "../../engine/data-directory.ts";
import { listSecrets, openSecrets } from "../../engine/state/secrets.ts";
import { defineCommand } from "../command.ts";
import { filterOption } from "../filters/filter-option.ts";
import { nameFilter } from "../filters/filter-value.ts";
import { hasLabels } from "../filters/label-filter.ts";
import { elapsed } from "../format/elapsed.ts";
import { listFormatOption } from "../format/format-option.ts";
import { formatList, type ListDescription } from "../format/list-output.ts";
import { printText } from "../format/print-text.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";

const secretList: ListDescription = {
  titles: {
    CreatedAt: "CREATED",
    Driver: "DRIVER",
    ID: "ID",
    Labels: "LABELS",
    Name: "NAME",
    UpdatedAt: "UPDATED",
  },
  columns: ["ID", "Name", "Driver", "CreatedAt", "UpdatedAt"],
};

/** `bunker secret ls`. */
export const list = defineCommand(
  {
    options: {
      filters: filterOption(["id", "label", "name"], "f"),
      format: listFormatOption,
      isWithoutHeading: flag({ name: "noheading", short: "n", description: "Leave out the line of titles" }),
      quiet: flag({ name: "quiet", short: "q", description: "Show only ids" }),
    },
    required: [],
    failureStatus: 1,
  },
  async ({ options: { filters, format, isWithoutHeading, quiet } }) => {
    using database = openSecrets(dataDirectory());
    const ids = filters("id");
    const names = filters("name").map(nameFilter);
    const secrets = listSecrets(database).filter(
      ({ id, labels, name }) =>
        (ids.length === 0 || ids.some((start) => id.startsWith(start))) &&
        (names.length === 0 || names.some((pattern) => pattern.test(name))) &&
        hasLabels(labels, filters("label")),
    );
    if (quiet && format === undefined) {
      for (const { id } of secrets) print(id);
      return 0;
    }
    const now = Date.now();
    const rows = secrets.map(({ id, name, created, updated, labels }) => ({
      CreatedAt: `${elapsed(now - created)} ago`,
      Driver: "file",
      ID: id,
      Label: (key: string) => labels[key] ?? "",
      Labels: Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(","),
      Name: name,
      UpdatedAt: `${elapsed(now - updated)} ago`,
    }));
    printText(await formatList({ ...secretList, isWithoutHeading }, format, rows));
    return 0;
  },
);
