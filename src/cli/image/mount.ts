import { dataDirectory } from "../../engine/data-directory.ts";
import { checkMayMount, type MountedImage, mountedImages, mountImage } from "../../engine/images/image-mount.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { defineCommand } from "../command.ts";
import { warning } from "../messages.ts";
import { flag, single } from "../option.ts";
import { print } from "../print.ts";
import { reportError } from "../report-error.ts";
import { oneOf } from "../values/choice.ts";

/** `bunker image mount`; Podman's. */
export const mount = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Mount all images" }),
      format: single({
        name: "format",
        valueName: "json",
        description: "Show what is mounted as JSON",
        parse: oneOf("json"),
      }),
    },
    required: [],
    optional: "[IMAGE...]",
  },
  async ({ options: { all, format }, operands }) => {
    using store = openImageStore(dataDirectory());
    const isListing = operands.length === 0 && !all;
    const names = all ? store.list().map(({ id }) => id) : operands;
    const mounted: MountedImage[] = isListing ? mountedImages(store) : [];
    let status = 0;
    if (names.length > 0) checkMayMount();
    for (const name of names) {
      try {
        mounted.push(await mountImage(store, name, warning));
      } catch (error) {
        await reportError(error);
        status = 125;
      }
    }
    const [only] = mounted;
    if (format === "json") print(JSON.stringify(mounted.map(jsonOf), null, 1));
    else if (only !== undefined && operands.length === 1 && !all) print(only.path);
    else printLines(mounted);
    return status;
  },
);

function nameOf({ image }: MountedImage): string {
  return image.names[0] ?? hexOf(image.id);
}

function hexOf(id: string): string {
  return id.slice(id.indexOf(":") + 1);
}

/** A mounted image as Podman writes it. */
function jsonOf({ image, path }: MountedImage): object {
  return { id: hexOf(image.id), Names: image.names, Repositories: image.names, mountpoint: path };
}

function printLines(mounted: readonly MountedImage[]): void {
  const width = Math.max(...mounted.map((one) => nameOf(one).length));
  for (const one of mounted) print(`${nameOf(one).padEnd(width)}  ${one.path}`);
}
