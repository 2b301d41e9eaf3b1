import { dataDirectory } from "../../engine/data-directory.ts";
import { imageUsers } from "../../engine/images/image-users.ts";
import { findList } from "../../image/manifest-list/list-store.ts";
import { collectGarbage } from "../../image/store/collect-garbage.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import { reportError } from "../report-error.ts";

/** `bunker manifest rm`: removes whole lists; the images stay. */
export const rm = defineCommand(
  {
    options: {
      ignoresMissing: flag({ name: "ignore", short: "i", description: "Say nothing of a list that is not there" }),
    },
    required: ["MANIFEST_LIST"],
    optional: "[MANIFEST_LIST...]",
    failureStatus: 1,
  },
  async ({ options: { ignoresMissing }, operands }) => {
    const data = dataDirectory();
    using store = openImageStore(data);
    let status = 0;
    // As Docker: each is tried, whatever became of the others.
    for (const text of operands) {
      try {
        store.untag(findList(store, text).name);
      } catch (error) {
        const isMissing = error instanceof BunkerError && error.code === "manifest_list_not_found";
        if (isMissing && ignoresMissing) continue;
        await reportError(error);
        status = 1;
      }
    }
    collectGarbage(store, imageUsers(data));
    return status;
  },
);
