/* Unpacks an image as Bunker's own helper does: as user 0, in whatever user namespace it was started in. */
import { readdirSync } from "node:fs";
import { parseImageName } from "../../../../src/image/image-source.ts";
import { missingLayers } from "../../../../src/image/layers/layer-directory.ts";
import { unpackLayers } from "../../../../src/image/layers/unpack-layers.ts";
import { openImage } from "../../../../src/image/open-image.ts";
import { BunkerError } from "../../../../src/sys/error.ts";

const [name = "", store = "", mode] = process.argv.slice(2);
const mapping = mode === "single" ? "single" : "full";
const warnings: string[] = [];
let error: { code: string; message: string; hint: string | undefined } | undefined;
try {
  const image = openImage(parseImageName(name), { os: "linux", architecture: "amd64", variant: undefined });
  const missing = missingLayers(image, store, mapping);
  await unpackLayers(image, missing, store, { mapping, onWarning: (message) => warnings.push(message) });
} catch (cause) {
  if (!(cause instanceof BunkerError)) throw cause;
  const { code, message, hint } = cause;
  error = { code, message, hint };
}
const left = readdirSync(`${store}/tmp`);
console.log(JSON.stringify({ warnings, error, left, peakMemory: process.resourceUsage().maxRSS * 1024 }));
