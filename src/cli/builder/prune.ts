import { pruneBuilds } from "../../build/prune-builds.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { defineCommand } from "../command.ts";
import { confirm } from "../confirm.ts";
import { filterOption } from "../filters/filter-option.ts";
import { parsePointInTime } from "../filters/point-in-time.ts";
import { humanSize } from "../format/human-size.ts";
import { untilInterrupted } from "../interruption.ts";
import { flag, single } from "../option.ts";
import { parseBytes } from "../values/numbers.ts";

/** `bunker builder prune`. */
export const prune = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Also what images have, too" }),
      filters: filterOption(["id", "type", "until"]),
      force: flag({ name: "force", short: "f", description: "Do not ask" }),
      kept: single({
        name: "keep-storage",
        valueName: "BYTES",
        description: "Keep so much of what was used last",
        parse: parseBytes,
        initial: 0,
      }),
    },
    required: [],
    failureStatus: 1,
  },
  async ({ options: { all, filters, force, kept } }) => {
    const times = filters("until").map((text) => parsePointInTime(text, Date.now()));
    if (!force) {
      const what = all ? "all build cache" : "all build cache that no image has";
      await confirm(`WARNING! This will remove ${what}.`, "builder prune");
    }
    const wish = {
      ...{ all, kept, ids: filters("id"), types: filters("type") },
      until: times.length === 0 ? undefined : Math.min(...times),
    };
    const { ids, reclaimed } = await untilInterrupted((signal) => pruneBuilds(dataDirectory(), wish, signal));
    if (ids.length > 0) console.log(["Deleted build cache objects:", ...ids, ""].join("\n"));
    console.log(`Total reclaimed space: ${humanSize(reclaimed)}`);
    return 0;
  },
);
