import { dataDirectory } from "../../engine/data-directory.ts";
import { defineCommand } from "../command.ts";
import { listFormatOption } from "../format/format-option.ts";
import { humanSize } from "../format/human-size.ts";
import { formatList } from "../format/list-output.ts";
import { printText } from "../format/print-text.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { buildDiskUsage } from "../system/build-usage.ts";

const BRIEF = ["ID", "Size", "LastUsed", "Description"];

/** `bunker builder du`. */
export const diskUsage = defineCommand(
  {
    options: {
      format: listFormatOption,
      verbose: flag({ name: "verbose", description: "Show everything about each record" }),
    },
    required: [],
    failureStatus: 1,
  },
  async ({ options: { format, verbose } }) => {
    const { list, rows, size, reclaimable } = buildDiskUsage(dataDirectory(), Date.now());
    printText(await formatList({ ...list, columns: verbose ? [...list.columns, "Description"] : BRIEF }, format, rows));
    if (format !== undefined) return 0;
    print(`Reclaimable:\t${humanSize(reclaimable)}`);
    print(`Total:\t\t${humanSize(size)}`);
    return 0;
  },
);
