import { dataDirectory } from "../../engine/data-directory.ts";
import { imageUsers } from "../../engine/images/image-users.ts";
import { recordRemoval } from "../../engine/images/record-removal.ts";
import { type ImageStore, openImageStore } from "../../image/store/image-store.ts";
import { type Removal, removeImage } from "../../image/store/remove-image.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { reportError } from "../report-error.ts";

/** `bunker rmi`, `bunker image rm`. */
export const remove = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Remove all images" }),
      force: flag({ name: "force", short: "f", description: "Also when containers that have ended use it" }),
      ignoresMissing: flag({ name: "ignore", short: "i", description: "Say nothing of an image that is not there" }),
      keepsParents: flag({
        name: "no-prune",
        description: "Do not delete untagged parents: here images have none, so there is no difference",
      }),
    },
    required: ["IMAGE"],
    optional: "[IMAGE...]",
    insteadOfFirst: ["all"],
    failureStatus: 1,
  },
  async ({ options: { all, force, ignoresMissing }, operands }) => {
    if (all && operands.length > 1) {
      throw new BunkerError({ code: "unexpected_operand", operation: "--all and images exclude each other" });
    }
    const data = dataDirectory();
    using store = openImageStore(data);
    const users = imageUsers(data);
    let status = 0;
    // As Docker: each is tried, whatever became of the others.
    for (const name of all ? everything(store) : operands) {
      try {
        const id = store.findIfThere(name)?.id;
        const removal = removeImage(store, name, force, users, force || all);
        printRemoval(removal);
        recordRemoval(data, id, removal);
      } catch (error) {
        const isMissing = error instanceof BunkerError && error.code === "image_not_found";
        // One of all may have gone with another one.
        if (isMissing && (ignoresMissing || all)) continue;
        await reportError(error);
        if (!force || !isMissing) status = 1;
      }
    }
    return status;
  },
);

/** All that can be removed: ids of images, an id for each image that has it, and names of lists. */
function everything(store: ImageStore): string[] {
  const images = store.list().filter(({ isReadOnly }) => !isReadOnly);
  return [...store.lists().map(({ name }) => name), ...images.map(({ id }) => id)];
}

/** Says what has gone, as Docker does. */
function printRemoval({ untagged, deleted }: Removal): void {
  for (const name of untagged) print(`Untagged: ${name}`);
  for (const digest of deleted) print(`Deleted: ${digest}`);
}
