/*
 * `image diff`: what another image has otherwise. The layers that both begin with are the same and are read once; of one
 * image alone the uppermost layer is compared with what is below it.
 */
import { dataDirectory } from "../../engine/data-directory.ts";
import type { Image, Layer } from "../../image/image.ts";
import { compareTrees, type TreeChange } from "../../image/layers/compare-trees.ts";
import { addLayerEntries, type FileTree } from "../../image/layers/layer-entries.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { changesFormat, printChanges } from "../changes-output.ts";
import { defineCommand } from "../command.ts";

/** `bunker image diff`. */
export const diff = defineCommand(
  {
    options: {
      format: changesFormat,
    },
    required: ["IMAGE"],
    optional: "[IMAGE]",
    optionalLimit: 1,
    failureStatus: 1,
  },
  async ({ options: { format }, operands: [name, otherName] }) => {
    using store = openImageStore(dataDirectory());
    const open = (text: string) => store.open(store.find(text), text);
    const image = open(name);
    const changes =
      otherName === undefined
        ? await compare(image.layers.slice(0, -1), image.layers)
        : await compare(image.layers, open(otherName).layers);
    printChanges(changes, format);
    return 0;
  },
);

async function compare(before: Image["layers"], after: Image["layers"]): Promise<TreeChange[]> {
  const shared = before.findIndex((layer, position) => layer.chainId !== after[position]?.chainId);
  const common = shared < 0 ? before.length : shared;
  const base = await stack(new Map(), before.slice(0, common));
  return compareTrees(await stack(base, before.slice(common)), await stack(base, after.slice(common)));
}

async function stack(base: FileTree, layers: readonly Layer[]): Promise<FileTree> {
  const { signal } = new AbortController();
  let tree = base;
  for (const layer of layers) tree = await addLayerEntries(tree, layer, signal);
  return tree;
}
