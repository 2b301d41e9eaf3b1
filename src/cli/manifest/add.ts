import { dataDirectory } from "../../engine/data-directory.ts";
import { findMembers } from "../../image/manifest-list/find-members.ts";
import { findList, saveList } from "../../image/manifest-list/list-store.ts";
import { annotate, withMember } from "../../image/manifest-list/manifest-list.ts";
import { Registries } from "../../image/registry/registries.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { registryOptions, registrySettings } from "../registry/registry-options.ts";
import { allOption, insecureOption, withInsecure } from "./manifest-options.ts";
import { annotationOf, memberOptions } from "./member-options.ts";

/** `bunker manifest add`. */
export const add = defineCommand(
  {
    options: { ...registryOptions, ...memberOptions, all: allOption, insecure: insecureOption },
    required: ["MANIFEST_LIST", "IMAGE"],
    optional: "[IMAGE...]",
    failureStatus: 1,
  },
  async ({ options, operands: [text, ...images] }) => {
    using store = openImageStore(dataDirectory());
    using registries = new Registries(withInsecure(registrySettings(options), options.insecure));
    const { name, list } = findList(store, text);
    const annotation = annotationOf(options);
    return await untilInterrupted(async (signal) => {
      const places = { store, registries, signal };
      const found = await Array.fromAsync(images, (image) => findMembers(image, options.all, places));
      const members = found.flat();
      const longer = members.reduce((sum, { member }) => withMember(sum, annotate(member, annotation)), list);
      console.log(saveList(store, { name, list: longer }, members));
      return 0;
    });
  },
);
