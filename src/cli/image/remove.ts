import { dataDirectory } from "../../engine/data-directory.ts";
import { imageUsers } from "../../engine/image-users.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { type Removal, removeImage } from "../../image/store/remove-image.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import { reportError } from "../report-error.ts";

/** `bunker rmi`, `bunker image rm`. */
export const remove = defineCommand(
  {
    options: {
      force: flag({ name: "force", short: "f", description: "Also when containers that have ended use it" }),
      keepsParents: flag({
        name: "no-prune",
        description: "Do not delete untagged parents: here images have none, so there is no difference",
      }),
    },
    required: ["IMAGE"],
    optional: "[IMAGE...]",
    failureStatus: 1,
  },
  async ({ options: { force }, operands }) => {
    const data = dataDirectory();
    using store = openImageStore(data);
    const users = imageUsers(data);
    let status = 0;
    // As Docker: each is tried, whatever became of the others.
    for (const name of operands) {
      try {
        printRemoval(removeImage(store, name, force, users));
      } catch (error) {
        await reportError(error);
        const isMissing = error instanceof BunkerError && error.code === "image_not_found";
        if (!force || !isMissing) status = 1;
      }
    }
    return status;
  },
);

/** Says what has gone, as Docker does. */
function printRemoval({ untagged, deleted }: Removal): void {
  for (const name of untagged) console.log(`Untagged: ${name}`);
  for (const digest of deleted) console.log(`Deleted: ${digest}`);
}
