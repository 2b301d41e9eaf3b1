import { dataDirectory } from "../../engine/data-directory.ts";
import type { Layer } from "../../image/image.ts";
import { imageSize, layerSizes } from "../../image/store/image-size.ts";
import { familiarName, openImageStore } from "../../image/store/image-store.ts";
import type { StoredImage } from "../../image/store/stored-image.ts";
import { defineCommand } from "../command.ts";
import { humanSize } from "../format/human-size.ts";
import { shortId } from "../format/short-id.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";

type ChainId = Layer["chainId"];

/** A layer, and the layers that lie on it in some image. */
interface TreeLayer {
  readonly chainId: ChainId;
  /** Bytes. */
  readonly size: number;
  /** The names of the images that end with it. */
  readonly names: string[];
  readonly above: Map<ChainId, TreeLayer>;
}

/** `bunker image tree`: the layers of an image, and which images end with them or lie on it. */
export const tree = defineCommand(
  {
    options: {
      whatRequires: flag({ name: "whatrequires", description: "Show the layers and images that lie on the image" }),
    },
    required: ["IMAGE"],
    failureStatus: 1,
  },
  ({ options, operands: [name] }) => {
    using store = openImageStore(dataDirectory());
    const image = store.find(name);
    print(`Image ID: ${shortId(image.id)}`);
    print(`Tags:     [${image.names.map(familiarName).join(" ")}]`);
    print(`Size:     ${humanSize(imageSize(image))}`);
    print("Image Layers");
    if (options.whatRequires) drawAbove(layersAbove(image, store.list()));
    else drawOwn(image, store.list());
    return 0;
  },
);

function drawOwn(image: StoredImage, images: readonly StoredImage[]): void {
  const sizes = layerSizes(image);
  const tops = Map.groupBy(images, ({ layers }) => layers.at(-1)?.chainId);
  image.layers.forEach(({ chainId }, position) => {
    const names = (tops.get(chainId) ?? []).flatMap((top) => top.names.map(familiarName));
    const branch = position === image.layers.length - 1 ? "└──" : "├──";
    print(`${branch} ${describe({ chainId, size: sizes[position] ?? 0, names })}`);
  });
}

/** The uppermost layer of an image with all that lies on it; undefined when the image has none. */
function layersAbove(image: StoredImage, images: readonly StoredImage[]): TreeLayer | undefined {
  const place = image.layers.length - 1;
  const top = image.layers[place];
  if (top === undefined) return undefined;
  const root: TreeLayer = { chainId: top.chainId, size: layerSizes(image)[place] ?? 0, names: [], above: new Map() };
  for (const other of images) {
    if (other.layers[place]?.chainId !== top.chainId) continue;
    const sizes = layerSizes(other);
    let layer = root;
    for (const [position, { chainId }] of other.layers.entries()) {
      if (position <= place) continue;
      const next = layer.above.get(chainId) ?? { chainId, size: sizes[position] ?? 0, names: [], above: new Map() };
      layer.above.set(chainId, next);
      layer = next;
    }
    layer.names.push(...other.names.map(familiarName));
  }
  return root;
}

function drawAbove(layer: TreeLayer | undefined, indentation = "", isLast = true): void {
  if (layer === undefined) return;
  print(`${indentation}${isLast ? "└──" : "├──"} ${describe(layer)}`);
  const above = [...layer.above.values()];
  for (const next of above) drawAbove(next, `${indentation}${isLast ? "    " : "│   "}`, next === above.at(-1));
}

function describe({ chainId, size, names }: Omit<TreeLayer, "above">): string {
  const top = names.length === 0 ? "" : ` Top Layer of: [${names.join(" ")}]`;
  return `ID: ${shortId(chainId)} Size: ${humanSize(size)}${top}`;
}
