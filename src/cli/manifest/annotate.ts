import { dataDirectory } from "../../engine/data-directory.ts";
import { findList, type NamedList, saveList } from "../../image/manifest-list/list-store.ts";
import {
  annotateList,
  annotate as annotateMember,
  findMember,
  type ManifestList,
} from "../../image/manifest-list/manifest-list.ts";
import { type ImageStore, openImageStore } from "../../image/store/image-store.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import type { OptionValues } from "../option-table.ts";
import { memberDigest } from "./member-operand.ts";
import { annotationOf, memberOptions } from "./member-options.ts";

const annotateOptions = {
  ...memberOptions,
  isOfList: flag({ name: "index", description: "Annotate the list itself; only --annotation can be said of it" }),
} as const;

/** `bunker manifest annotate`. */
export const annotate = defineCommand(
  {
    options: annotateOptions,
    required: ["MANIFEST_LIST"],
    optional: "[MANIFEST]",
    optionalLimit: 1,
    failureStatus: 1,
  },
  ({ options, operands: [text, manifest] }) => {
    using store = openImageStore(dataDirectory());
    const found = findList(store, text);
    const list = options.isOfList
      ? annotatedList(found, manifest, options)
      : withAnnotatedMember(store, found, manifest, text, options);
    saveList(store, { name: found.name, list }, []);
    return 0;
  },
);

type Options = OptionValues<typeof annotateOptions>;

function annotatedList({ list }: NamedList, manifest: string | undefined, options: Options): ManifestList {
  const { annotations, architecture, features, os, osFeatures, osVersion, variant } = options;
  const ofMember = [manifest, architecture, os, osVersion, variant, ...features, ...osFeatures];
  if (ofMember.some((each) => each !== undefined)) {
    const operation = "of the list itself (--index) only --annotation can be said";
    throw new BunkerError({
      code: "conflicting_options",
      operation,
      hint: "Name no image, and nothing of a platform.",
    });
  }
  return annotateList(list, Object.fromEntries(annotations));
}

function withAnnotatedMember(
  store: ImageStore,
  found: NamedList,
  manifest: string | undefined,
  text: string,
  options: Options,
): ManifestList {
  if (manifest === undefined) {
    const operation = "bunker manifest annotate needs MANIFEST, or --index for the list itself";
    throw new BunkerError({ code: "missing_operand", operation });
  }
  const { list } = found;
  const member = findMember(list, memberDigest(store, found, manifest), text);
  const better = annotateMember(member, annotationOf(options));
  return { ...list, manifests: list.manifests.map((other) => (other === member ? better : other)) };
}
