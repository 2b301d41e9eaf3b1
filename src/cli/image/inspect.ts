import { dataDirectory } from "../../engine/data-directory.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { defineCommand } from "../command.ts";
import { inspectFormatOption, printInspections } from "../inspect-output.ts";
import { inspectImage } from "./inspection.ts";

/** `bunker image inspect`. */
export const inspect = defineCommand(
  { options: { format: inspectFormatOption }, required: ["IMAGE"], optional: "[IMAGE...]", failureStatus: 1 },
  async ({ options: { format }, operands }) => {
    using store = openImageStore(dataDirectory());
    return await printInspections(operands, format, (name) => inspectImage(store, store.find(name)));
  },
);
