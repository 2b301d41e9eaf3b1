import { dataDirectory } from "../../engine/data-directory.ts";
import { recordImageEvent } from "../../engine/events/journal.ts";
import { formatReference, parseReference, withDefaultTag } from "../../image/reference.ts";
import { familiarName, openImageStore } from "../../image/store/image-store.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";

/** `bunker untag`, `bunker image untag`: takes names away, all of them unless given; the image stays. */
export const untag = defineCommand(
  { options: {}, required: ["IMAGE"], optional: "[NAME[:TAG]...]", failureStatus: 1 },
  ({ operands: [text, ...given] }) => {
    using store = openImageStore(dataDirectory());
    const list = store.listOf(text);
    const image = list === undefined ? store.find(text) : undefined;
    if (image?.isReadOnly) {
      const reason = `it lies in ${image.store}, which is only read`;
      throw new BunkerError({ code: "store_read_only", operation: "take names away from", object: text, reason });
    }
    const known = list === undefined ? (image?.names ?? []) : [list.name];
    const names = given.map((name) => formatReference(withDefaultTag(parseReference(name))));
    for (const [place, name] of names.entries()) {
      if (known.includes(name)) continue;
      const [object, reason] = [given[place], `it is not a name of the image ${text}`];
      throw new BunkerError({ code: "image_not_found", operation: "take away the name", object, reason });
    }
    for (const name of names.length > 0 ? names : known) {
      store.untag(name);
      if (image === undefined) continue;
      recordImageEvent(store.directory, "untag", image.id, familiarName(name), image.labels);
    }
    return 0;
  },
);
