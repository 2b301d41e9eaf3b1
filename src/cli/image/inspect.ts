import { dataDirectory } from "../../engine/data-directory.ts";
import { parsePlatform } from "../../image/platform.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { defineCommand } from "../command.ts";
import { inspectFormatOption } from "../format/format-option.ts";
import { printInspections } from "../inspect-output.ts";
import { inspectImage } from "./inspection.ts";
import { platformOption } from "./platform-option.ts";

/** `bunker image inspect`. */
export const inspect = defineCommand(
  {
    options: { format: inspectFormatOption, platform: platformOption },
    required: ["IMAGE"],
    optional: "[IMAGE...]",
    failureStatus: 1,
  },
  async ({ options: { format, platform }, operands }) => {
    const wanted = platform === undefined ? undefined : parsePlatform(platform);
    using store = openImageStore(dataDirectory());
    return await printInspections(operands, format, (name) => inspectImage(store, store.find(name, wanted)));
  },
);
