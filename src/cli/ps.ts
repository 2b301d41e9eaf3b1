import { dataDirectory } from "../engine/data-directory.ts";
import { openContainers } from "../engine/state/open-containers.ts";
import { leaveMemory } from "../launch/leave-memory.ts";
import { BunkerError } from "../sys/error.ts";
import { defineCommand } from "./command.ts";
import { CONTAINER_FILTERS } from "./container/container-filter-keys.ts";
import { SORT_FIELDS, usualList } from "./container/usual-list.ts";
import { filterOption } from "./filters/filter-option.ts";
import { listFormatOption } from "./format/format-option.ts";
import { printText } from "./format/print-text.ts";
import { flag, single } from "./option.ts";
import { oneOf } from "./values/choice.ts";
import { integerBetween } from "./values/numbers.ts";

/** `bunker ps`. */
export const ps = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Show all containers, not only those that run" }),
      filters: filterOption(CONTAINER_FILTERS, "f"),
      format: listFormatOption,
      last: single({
        name: "last",
        short: "n",
        valueName: "NUMBER",
        description: "Show the last containers that were created, running or not",
        parse: integerBetween(-(2 ** 31), 2 ** 31 - 1),
        initial: -1,
      }),
      latest: flag({ name: "latest", short: "l", description: "Show the last one only" }),
      namespaces: flag({ name: "ns", aliases: ["namespace"], description: "Show the namespaces that they are in" }),
      isWithoutHeading: flag({ name: "noheading", description: "Leave out the line of titles" }),
      whole: flag({ name: "no-trunc", description: "Do not shorten ids and commands" }),
      quiet: flag({ name: "quiet", short: "q", description: "Show only ids" }),
      size: flag({ name: "size", short: "s", description: "Show how much they have written" }),
      sort: single({
        name: "sort",
        valueName: "FIELD",
        description: `The order: ${SORT_FIELDS.join(", ")}; the newest first without it`,
        parse: oneOf(...SORT_FIELDS),
      }),
      // Podman's; what they ask for is so in any case.
      external: flag({
        name: "external",
        description: "Show also other programs' containers; Bunker's store has none",
      }),
      sync: flag({ name: "sync", description: "Ask the kernel how each is; this is always done" }),
      watch: single({
        name: "watch",
        short: "w",
        valueName: "SECONDS",
        description: "Show the list again and again, with so much time between",
        parse: integerBetween(1, 86_400),
      }),
    },
    isBrief: true,
    leave: leaveMemory,
    required: [],
    failureStatus: 1,
  },
  async ({ options }) => {
    const { namespaces, size, watch } = options;
    if (namespaces && (size || options.format !== undefined)) {
      throw new BunkerError({
        code: "conflicting_options",
        operation: `--ns and ${size ? "--size" : "--format"} exclude each other`,
      });
    }
    const data = dataDirectory();
    using database = openContainers(data);
    let otherList: (() => Promise<string>) | undefined;
    const text = async () => {
      const usual = await usualList(database, data, options);
      if (usual !== undefined) return usual;
      otherList ??= await (await import("./container/container-list.ts")).containerList(database, data, options);
      return otherList();
    };
    if (watch === undefined) {
      printText(await text());
      return 0;
    }
    const show = (await import("./format/live-list.ts")).liveList({ noReset: false, noStream: false });
    for (;;) {
      show(await text());
      await Bun.sleep(watch * 1000);
    }
  },
);
