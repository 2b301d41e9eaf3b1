import { pruneBuilds } from "../../build/prune-builds.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { defineCommand } from "../command.ts";
import { confirm } from "../confirm.ts";
import { filterOption } from "../filters/filter-option.ts";
import { untilFilter } from "../filters/filter-value.ts";
import { humanSize } from "../format/human-size.ts";
import { untilInterrupted } from "../interruption.ts";
import { flag, single } from "../option.ts";
import { print } from "../print.ts";
import { parseBytes } from "../values/numbers.ts";

/** `bunker builder prune`. */
export const prune = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Also what images have, too" }),
      filters: filterOption(["id", "type", "until"]),
      force: flag({ name: "force", short: "f", description: "Do not ask" }),
      free: single({
        name: "min-free-space",
        valueName: "BYTES",
        description: "Take out as much as it takes to have so much of the disk free",
        parse: parseBytes,
      }),
      maximum: single({
        name: "max-used-space",
        valueName: "BYTES",
        description: "Keep no more than so much, what was used last",
        parse: parseBytes,
      }),
      reserved: single({
        name: "reserved-space",
        aliases: ["keep-storage"],
        valueName: "BYTES",
        description: "Keep so much in any case, what was used last; also --keep-storage",
        parse: parseBytes,
      }),
    },
    required: [],
    failureStatus: 1,
  },
  async ({ options: { all, filters, force, free, maximum, reserved } }) => {
    const times = filters("until").map((text) => untilFilter(text, Date.now()));
    if (!force) {
      const what = all ? "all build cache" : "all build cache that no image has";
      await confirm(`WARNING! This will remove ${what}.`, "builder prune");
    }
    const wish = {
      ...{ all, space: { free, maximum, reserved }, ids: filters("id"), types: filters("type") },
      until: times.length === 0 ? undefined : Math.min(...times),
    };
    const { ids, reclaimed } = await untilInterrupted((signal) => pruneBuilds(dataDirectory(), wish, signal));
    if (ids.length > 0) print(["Deleted build cache objects:", ...ids, ""].join("\n"));
    print(`Total reclaimed space: ${humanSize(reclaimed)}`);
    return 0;
  },
);
