import { dataDirectory } from "../../engine/data-directory.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { defineCommand } from "../command.ts";

/** `bunker image exists`: says it by the exit status alone. */
export const exists = defineCommand({ options: {}, required: ["IMAGE"] }, ({ operands: [name] }) => {
  using store = openImageStore(dataDirectory());
  return store.findIfThere(name) === undefined ? 1 : 0;
});
