import { dataDirectory } from "../../engine/data-directory.ts";
import { recordImageEvent } from "../../engine/events/journal.ts";
import { tagList } from "../../image/manifest-list/list-store.ts";
import { formatReference, parseReference, withDefaultTag } from "../../image/reference.ts";
import { familiarName, openImageStore } from "../../image/store/image-store.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { quote } from "../option-table.ts";

/** `bunker tag`, `bunker image tag`. */
export const tag = defineCommand(
  {
    options: {},
    required: ["SOURCE_IMAGE[:TAG]", "TARGET_IMAGE[:TAG]"],
    optional: "[TARGET_IMAGE[:TAG]...]",
    failureStatus: 1,
  },
  ({ operands: [source, ...targets] }) => {
    const names = targets.map(newName);
    using store = openImageStore(dataDirectory());
    const list = store.listOf(source);
    if (list !== undefined) {
      for (const name of names) tagList(store, list, name);
      return 0;
    }
    const image = store.find(source);
    for (const name of names) {
      store.tag(image, name);
      recordImageEvent(store.directory, "tag", image.id, familiarName(name), image.labels);
    }
    return 0;
  },
);

/** The full name that a user's new name means. */
function newName(target: string): string {
  const reference = parseReference(target);
  if (reference.digest === undefined) return formatReference(withDefaultTag(reference));
  throw new BunkerError({
    code: "invalid_reference",
    operation: `refusing to create a tag with a digest reference: ${quote(target)}`,
    hint: "A digest says what an image is; it cannot be given. Leave it away.",
  });
}
