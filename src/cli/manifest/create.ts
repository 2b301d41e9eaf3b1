import { dataDirectory } from "../../engine/data-directory.ts";
import { findMembers } from "../../image/manifest-list/find-members.ts";
import { findListIfThere, saveList } from "../../image/manifest-list/list-store.ts";
import { annotateList, EMPTY_LIST, type ManifestList, withMember } from "../../image/manifest-list/manifest-list.ts";
import { newImageName } from "../../image/new-name.ts";
import { Registries } from "../../image/registry/registries.ts";
import { type ImageStore, openImageStore } from "../../image/store/image-store.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { registryOptions, registrySettings } from "../registry/registry-options.ts";
import { allOption, insecureOption, withInsecure } from "./manifest-options.ts";
import { annotationOption } from "./member-options.ts";

/** `bunker manifest create`. */
export const create = defineCommand(
  {
    options: {
      ...registryOptions,
      all: allOption,
      annotations: annotationOption("the list"),
      amend: flag({ name: "amend", short: "a", description: "Add to the list if it is there already" }),
      insecure: insecureOption,
    },
    required: ["MANIFEST_LIST"],
    optional: "[IMAGE...]",
    failureStatus: 1,
  },
  async ({ options, operands: [text, ...images] }) => {
    using store = openImageStore(dataDirectory());
    using registries = new Registries(withInsecure(registrySettings(options), options.insecure), warning);
    const name = newImageName(text);
    // Before anything is fetched.
    beginning(store, name, text, options.amend);
    return await untilInterrupted(async (signal) => {
      const places = { store, registries, signal };
      const found = await Array.fromAsync(images, (image) => findMembers(image, options.all, places));
      const members = found.flat();
      const created = () => {
        const present = beginning(store, name, text, options.amend);
        const longer = members.reduce((sum, { member }) => withMember(sum, member), present);
        return annotateList(longer, Object.fromEntries(options.annotations));
      };
      saveList(store, name, created, members);
      print(`Created manifest list ${name}`);
      return 0;
    });
  },
);

/** What is added to: an empty list, or the one that is there and is to be amended. */
function beginning(store: ImageStore, name: string, text: string, amends: boolean): ManifestList {
  const known = findListIfThere(store, text);
  if (known !== undefined && amends) return known.list;
  if (known === undefined && store.target(name) === undefined) return EMPTY_LIST;
  throw new BunkerError({
    code: "name_in_use",
    operation: "create the list",
    object: text,
    reason: known === undefined ? "it is the name of an image" : "there is one with this name",
    hint: known === undefined ? `bunker rmi ${text} takes the name away.` : "Add to it with --amend.",
  });
}
