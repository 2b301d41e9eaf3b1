import { dataDirectory } from "../../engine/data-directory.ts";
import { containerCounts } from "../../engine/images/image-users.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { defineCommand } from "../command.ts";
import { listFormatOption } from "../format/format-option.ts";
import { formatList } from "../format/list-output.ts";
import { printText } from "../format/print-text.ts";
import { executeTemplate, readTemplate } from "../format/user-template.ts";
import { flag } from "../option.ts";
import { buildDiskUsage } from "./build-usage.ts";
import { containerDiskUsage } from "./container-usage.ts";
import { type UsageKind, usageList, usageRow } from "./disk-usage.ts";
import { imageDiskUsage } from "./image-usage.ts";
import { volumeDiskUsage } from "./volume-usage.ts";

/** `bunker system df`. */
export const df = defineCommand(
  {
    options: {
      format: listFormatOption,
      verbose: flag({ name: "verbose", short: "v", description: "Show everything that takes space" }),
    },
    required: [],
    failureStatus: 1,
  },
  async ({ options: { format, verbose } }) => {
    const data = dataDirectory();
    using store = openImageStore(data);
    const kinds = [
      imageDiskUsage(store, containerCounts(data), Date.now()),
      containerDiskUsage(data),
      volumeDiskUsage(data),
      buildDiskUsage(data, Date.now()),
    ];
    if (!verbose) printText(await formatList(usageList, format, kinds.map(usageRow)));
    else if (format?.kind === "template") {
      // As in Docker: one object with all lists in it.
      const all = Object.fromEntries(kinds.map(({ type, rows }) => [type.replace(/^Local | /, ""), rows]));
      printText(`${executeTemplate(readTemplate(format.template), all)}\n`);
    } else printText((await Promise.all(kinds.map(table))).join("\n"));
    return 0;
  },
);

async function table({ heading, list, rows }: UsageKind): Promise<string> {
  return `${heading}\n\n${await formatList(list, undefined, rows)}`;
}
