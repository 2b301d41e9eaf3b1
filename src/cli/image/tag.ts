import { dataDirectory } from "../../engine/data-directory.ts";
import { recordImageEvent } from "../../engine/events/journal.ts";
import { tagList } from "../../image/manifest-list/list-store.ts";
import { newImageName } from "../../image/new-name.ts";
import { familiarName, openImageStore } from "../../image/store/image-store.ts";
import { defineCommand } from "../command.ts";

/** `bunker tag`, `bunker image tag`. */
export const tag = defineCommand(
  {
    options: {},
    required: ["SOURCE_IMAGE[:TAG]", "TARGET_IMAGE[:TAG]"],
    optional: "[TARGET_IMAGE[:TAG]...]",
    failureStatus: 1,
  },
  ({ operands: [source, ...targets] }) => {
    const names = targets.map(newImageName);
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
