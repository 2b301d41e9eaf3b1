import { dataDirectory } from "../../engine/data-directory.ts";
import { mountedImages, unmountImage } from "../../engine/images/image-mount.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { reportError } from "../report-error.ts";

/** `bunker image unmount`; Podman's. */
export const unmount = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Unmount all images" }),
      force: flag({ name: "force", short: "f", description: "Also what is in use, and as often as it is mounted" }),
    },
    required: [],
    optional: "[IMAGE...]",
  },
  async ({ options: { all, force }, operands }) => {
    if (!all && operands.length === 0) {
      throw new BunkerError({ code: "missing_operand", operation: "unmount needs the name of an image, or --all" });
    }
    using store = openImageStore(dataDirectory());
    const images = all
      ? mountedImages(store).map(
          ({ image }) =>
            () =>
              image,
        )
      : operands.map((name) => () => store.find(name));
    let status = 0;
    for (const find of images) {
      try {
        const image = find();
        unmountImage(store, image, force);
        print(image.id.slice(image.id.indexOf(":") + 1));
      } catch (error) {
        await reportError(error);
        status = 125;
      }
    }
    return status;
  },
);
