import { dataDirectory } from "../../engine/data-directory.ts";
import { imageSize, layerSizes } from "../../image/store/image-size.ts";
import { familiarName, openImageStore } from "../../image/store/image-store.ts";
import { defineCommand } from "../command.ts";
import { humanSize } from "../format/human-size.ts";
import { shortId } from "../format/short-id.ts";

/** `bunker image tree`: the layers of an image, and which other images end with one of them. */
export const tree = defineCommand({ options: {}, required: ["IMAGE"], failureStatus: 1 }, ({ operands: [name] }) => {
  using store = openImageStore(dataDirectory());
  const image = store.find(name);
  const sizes = layerSizes(image);
  const tops = Map.groupBy(store.list(), ({ layers }) => layers.at(-1)?.chainId);
  console.log(`Image ID: ${shortId(image.id)}`);
  console.log(`Tags:     [${image.names.map(familiarName).join(" ")}]`);
  console.log(`Size:     ${humanSize(imageSize(image))}`);
  console.log("Image Layers");
  image.layers.forEach(({ chainId }, position) => {
    const names = (tops.get(chainId) ?? []).flatMap((top) => top.names.map(familiarName));
    const branch = position === image.layers.length - 1 ? "└──" : "├──";
    const top = names.length === 0 ? "" : ` Top Layer of: [${names.join(" ")}]`;
    console.log(`${branch} ID: ${shortId(chainId)} Size: ${humanSize(sizes[position] ?? 0)}${top}`);
  });
  return 0;
});
