import { dataDirectory } from "../../engine/data-directory.ts";
import { findList, listName, saveList } from "../../image/manifest-list/list-store.ts";
import { withoutMember } from "../../image/manifest-list/manifest-list.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { defineCommand } from "../command.ts";
import { print } from "../print.ts";
import { memberDigest } from "./member-operand.ts";

/** `bunker manifest remove`: takes an image out of a list. */
export const remove = defineCommand(
  { options: {}, required: ["MANIFEST_LIST", "MANIFEST"], failureStatus: 1 },
  ({ operands: [text, manifest] }) => {
    using store = openImageStore(dataDirectory());
    const shorter = () => {
      const found = findList(store, text);
      return withoutMember(found.list, memberDigest(store, found, manifest), text);
    };
    print(saveList(store, listName(text), shorter, []));
    return 0;
  },
);
