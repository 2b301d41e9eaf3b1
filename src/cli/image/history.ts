import { dataDirectory } from "../../engine/data-directory.ts";
import { parseDocument } from "../../image/documents.ts";
import { parsePlatform } from "../../image/platform.ts";
import { layerSizes } from "../../image/store/image-size.ts";
import { familiarName, type ImageStore, openImageStore } from "../../image/store/image-store.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import { defineCommand } from "../command.ts";
import { elapsed } from "../format/elapsed.ts";
import { listFormatOption } from "../format/format-option.ts";
import { hiddenFields } from "../format/hidden-fields.ts";
import { humanSize } from "../format/human-size.ts";
import { formatList, type ListDescription } from "../format/list-output.ts";
import { localTimestamp } from "../format/local-time.ts";
import { printText } from "../format/print-text.ts";
import { shortId } from "../format/short-id.ts";
import { shorten } from "../format/shorten.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { platformOption } from "./platform-option.ts";

const LONGEST_COMMAND = 45;
/** Of a step whose result has no id of its own, which is all but the last. */
const MISSING = "<missing>";

const listOf = (human: boolean): ListDescription => ({
  titles: {
    Comment: "COMMENT",
    CreatedAt: "CREATED AT",
    CreatedBy: "CREATED BY",
    CreatedSince: "CREATED",
    ID: "IMAGE",
    Size: "SIZE",
    // Podman's.
    Created: "CREATED",
    Tags: "TAGS",
  },
  columns: ["ID", human ? "CreatedSince" : "CreatedAt", "CreatedBy", "Size", "Comment"],
});

/** `bunker history`, `bunker image history`. */
export const history = defineCommand(
  {
    options: {
      format: listFormatOption,
      human: flag({ name: "human", short: "H", description: "Show sizes and times for people", initial: true }),
      whole: flag({ name: "no-trunc", description: "Do not shorten ids and commands" }),
      platform: platformOption,
      quiet: flag({ name: "quiet", short: "q", description: "Show only ids" }),
    },
    required: ["IMAGE"],
    failureStatus: 1,
  },
  async ({ options: { format, human, platform, quiet, whole }, operands: [name] }) => {
    using store = openImageStore(dataDirectory());
    const image = store.find(name, platform === undefined ? undefined : parsePlatform(platform));
    const now = Date.now();
    const rows = stepsOf(store, image).map(({ id, created, createdBy, comment, size }, place) => {
      // In a table a command of several lines stands on one.
      const command = format?.kind === "template" ? createdBy : createdBy.replace(/\s/g, " ");
      const since = created === undefined ? "N/A" : `${elapsed(now - created)} ago`;
      const time = created === undefined ? "N/A" : localTimestamp(created);
      const fields = {
        Comment: comment,
        CreatedAt: time,
        CreatedBy: whole ? command : shorten(command, LONGEST_COMMAND),
        CreatedSince: since,
        ID: id === undefined ? MISSING : whole ? id : shortId(id),
        Size: human ? humanSize(size) : String(size),
      };
      const names = place === 0 ? image.names.map(familiarName) : [];
      return hiddenFields(fields, { Created: human ? since : time, Tags: names });
    });
    if (quiet && format === undefined) {
      for (const { ID } of rows) print(String(ID));
      return 0;
    }
    printText(await formatList(listOf(human), format, rows));
    return 0;
  },
);

/** One step of how an image was made. */
interface Step {
  /** Of the image that it resulted in, if that is one. */
  readonly id: string | undefined;
  /** Milliseconds since 1970. */
  readonly created: number | undefined;
  readonly createdBy: string;
  readonly comment: string;
  /** Bytes of its layer. */
  readonly size: number;
}

/** The steps, the last first. Layers that the history does not tell of are steps too. */
function stepsOf(store: ImageStore, image: StoredImage): Step[] {
  const details = parseDocument("imageDetails", store.readDocument(image.id), `configuration ${image.id}`);
  const sizes = layerSizes(image);
  const told = details.history.filter(({ isEmptyLayer }) => !isEmptyLayer).length;
  const untold = sizes.slice(told).map(() => ({ created: undefined, createdBy: "", comment: "", isEmptyLayer: false }));
  let layer = 0;
  const steps = [...details.history, ...untold].map(({ created, createdBy, comment, isEmptyLayer }) => {
    const time = Date.parse(created ?? "");
    return {
      id: undefined,
      created: Number.isNaN(time) ? undefined : time,
      createdBy,
      comment,
      size: isEmptyLayer ? 0 : (sizes[layer++] ?? 0),
    };
  });
  return steps.reverse().map((step, index) => (index === 0 ? { ...step, id: image.id } : step));
}
