import { dataDirectory } from "../../engine/data-directory.ts";
import { containerCounts } from "../../engine/images/image-users.ts";
import { type ImageUsage, imageUsage } from "../../image/store/image-size.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { imagesOfIndexes } from "../../image/store/index-images.ts";
import { nameHistory } from "../../image/store/name-history.ts";
import { leaveMemory } from "../../launch/leave-memory.ts";
import { defineCommand } from "../command.ts";
import { negatableFilterOption } from "../filters/filter-option.ts";
import { listFormatOption, type OutputFormat } from "../format/format-option.ts";
import { formatList } from "../format/list-output.ts";
import { printText } from "../format/print-text.ts";
import { flag, single } from "../option.ts";
import { print } from "../print.ts";
import { oneOf } from "../values/choice.ts";
import { fittingNames, IMAGE_FILTERS, imageFilter, shownKinds, useFilter } from "./image-filters.ts";
import { imageOrder, rowOrder } from "./image-order.ts";
import { imageRows, imageTitles, withoutTwins } from "./image-rows.ts";
import { listAsImage } from "./list-as-image.ts";
import { formatPlatforms } from "./platforms-tree.ts";

/** `bunker images`, `bunker image ls`. */
export const images = defineCommand(
  {
    options: {
      all: flag({
        name: "all",
        short: "a",
        description: "Show also the images for other platforms that are here as part of an index",
      }),
      digests: flag({ name: "digests", description: "Show digests" }),
      filters: negatableFilterOption(IMAGE_FILTERS, "f"),
      format: listFormatOption,
      history: flag({ name: "history", description: "Show the names that each image has had, too" }),
      isWithoutHeading: flag({ name: "noheading", short: "n", description: "Leave out the line of titles" }),
      order: single({
        name: "sort",
        valueName: "created|id|repository|size|tag",
        description: "What to sort by; created is the latest first",
        parse: oneOf("created", "id", "repository", "size", "tag"),
        initial: "created",
        initialText: "created",
      }),
      whole: flag({ name: "no-trunc", description: "Do not shorten ids" }),
      quiet: flag({ name: "quiet", short: "q", description: "Show only ids" }),
      tree: flag({ name: "tree", description: "Show the platforms of each image" }),
    },
    leave: leaveMemory,
    required: [],
    optional: "[REPOSITORY[:TAG]]",
    optionalLimit: 1,
    failureStatus: 1,
  },
  async ({ options, operands: [pattern] }) => {
    const { all: showsAll, digests, filters, format, history, isWithoutHeading, order, quiet, tree, whole } = options;
    const data = dataDirectory();
    using store = openImageStore(data);
    const now = Date.now();
    // As in Docker, the operand is one more pattern.
    const patterns = [...filters("reference"), ...(pattern === undefined ? [] : [pattern])];
    const wanted = (key: string) => (key === "reference" ? patterns : filters(key));
    const kinds = shownKinds(wanted);
    const all = kinds.images ? store.list() : [];
    if (kinds.lists) all.push(...store.lists().map((list) => listAsImage(list, data)));
    const containersOf = containerCounts(data);
    let usage: ImageUsage | undefined;
    const usageOfAll = () => {
      usage ??= imageUsage(all);
      return usage;
    };
    const hidden = showsAll ? new Set() : imagesOfIndexes(store);
    const shown = withoutTwins(all)
      .filter(({ manifest }) => !hidden.has(manifest.digest))
      .filter(imageFilter(wanted, store, now))
      .filter(useFilter(wanted, containersOf))
      .map(fittingNames(wanted))
      .sort(imageOrder(order, (image) => usageOfAll().size(image)));
    if (tree) {
      printText(formatPlatforms(shown, store, whole));
      return 0;
    }
    const rows = imageRows(shown, {
      // Digests want rows of their own.
      digests: digests || showsField(format, "Digest"),
      wholeIds: whole,
      now,
      containersOf,
      namesOf: history || showsField(format, "History") ? (image) => nameHistory(store, image) : undefined,
      withPodmanFields: format?.template !== undefined,
      get usage() {
        return usageOfAll();
      },
    }).sort(rowOrder(order));
    if (quiet && format === undefined) {
      for (const { ID } of rows) print(String(ID));
      return 0;
    }
    const digest = digests ? ["Digest"] : [];
    const columns = ["Repository", "Tag", ...digest, "ID", "CreatedSince", "Size", ...(history ? ["History"] : [])];
    printText(await formatList({ titles: imageTitles, columns, isWithoutHeading }, format, rows));
    return 0;
  },
);

/** Whether a template shows a field that is not made unless it is wanted. */
function showsField(format: OutputFormat | undefined, field: string): boolean {
  return format?.template?.includes(`{{.${field}}}`) ?? false;
}
