import type { Root } from "../graph/root.ts";
import type { RootNode } from "../graph/step.ts";
import { formatInlineRecords } from "./cache-document.ts";

/**
 * The records of a cache inside an image: the steps that have made its own layers.
 * @param root what the node has come to
 * @param count of all layers of the image
 */
export async function inlineRecords(node: RootNode, root: Root, count: number): Promise<string> {
  const lowest = count - root.layers.length;
  const keys = await Promise.all(node.chain().map((step) => step.keys()));
  return formatInlineRecords(
    root.layers.flatMap(({ created }, place) => {
      const key = keys[place]?.ordinary;
      return key === undefined ? [] : [{ key, layer: lowest + place, created: new Date(created).toISOString() }];
    }),
  );
}
