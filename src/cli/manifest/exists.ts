import { dataDirectory } from "../../engine/data-directory.ts";
import { findListIfThere } from "../../image/manifest-list/list-store.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { defineCommand } from "../command.ts";

/** `bunker manifest exists`: says it by the exit status alone. */
export const exists = defineCommand({ options: {}, required: ["MANIFEST_LIST"] }, ({ operands: [text] }) => {
  using store = openImageStore(dataDirectory());
  return findListIfThere(store, text) === undefined ? 1 : 0;
});
