import { dataDirectory } from "../../engine/data-directory.ts";
import { subjectOf } from "../../image/manifest-list/find-members.ts";
import { findList, listName, saveList } from "../../image/manifest-list/list-store.ts";
import {
  annotateList,
  annotate as annotateMember,
  findMember,
  type ManifestList,
  withSubject,
} from "../../image/manifest-list/manifest-list.ts";
import { Registries } from "../../image/registry/registries.ts";
import { type ImageStore, openImageStore } from "../../image/store/image-store.ts";
import type { BlobDescriptor } from "../../image/store/stored-image.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";
import { flag, single } from "../option.ts";
import type { OptionValues } from "../option-table.ts";
import { registryOptions, registrySettings } from "../registry/registry-options.ts";
import { notEmpty } from "../values/words.ts";
import { insecureOption, withInsecure } from "./manifest-options.ts";
import { memberDigest } from "./member-operand.ts";
import { annotationOf, memberOptions } from "./member-options.ts";

const annotateOptions = {
  ...memberOptions,
  ...registryOptions,
  insecure: insecureOption,
  isOfList: flag({ name: "index", description: "Annotate the list itself, of which --annotation and --subject tell" }),
  subject: single({
    name: "subject",
    valueName: "IMAGE",
    description: "The image that the list is about; with --index",
    parse: notEmpty("expected an image"),
  }),
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
  async ({ options, operands: [text, manifest] }) => {
    using store = openImageStore(dataDirectory());
    using registries = new Registries(withInsecure(registrySettings(options), options.insecure), warning);
    findList(store, text);
    return await untilInterrupted(async (signal) => {
      if (options.isOfList) refuseForList(manifest, options);
      const subject = options.isOfList ? await subjectOf(options.subject, { store, registries, signal }) : undefined;
      const annotated = () =>
        options.isOfList
          ? annotatedList(findList(store, text).list, options, subject)
          : withAnnotatedMember(store, text, manifest, options);
      saveList(store, listName(text), annotated, []);
      return 0;
    });
  },
);

type Options = OptionValues<typeof annotateOptions>;

function annotatedList(
  list: ManifestList,
  { annotations }: Options,
  subject: BlobDescriptor | undefined,
): ManifestList {
  const annotated = annotateList(list, Object.fromEntries(annotations));
  return subject === undefined ? annotated : withSubject(annotated, subject);
}

/** Refuses what is said of an image where the list itself is meant. */
function refuseForList(manifest: string | undefined, options: Options): void {
  const { architecture, features, os, osFeatures, osVersion, variant } = options;
  const ofMember = [manifest, architecture, os, osVersion, variant, ...features, ...osFeatures];
  if (ofMember.some((each) => each !== undefined)) {
    const operation = "of the list itself (--index) only --annotation and --subject can tell";
    throw new BunkerError({
      code: "conflicting_options",
      operation,
      hint: "Name no image, and nothing of a platform.",
    });
  }
}

function withAnnotatedMember(
  store: ImageStore,
  text: string,
  manifest: string | undefined,
  options: Options,
): ManifestList {
  if (manifest === undefined) {
    const operation = "bunker manifest annotate needs MANIFEST, or --index for the list itself";
    throw new BunkerError({ code: "missing_operand", operation });
  }
  if (options.subject !== undefined) {
    const operation = "only a list has a subject here: --subject needs --index";
    throw new BunkerError({
      code: "conflicting_options",
      operation,
      hint: "Of files that become an artifact it is said at once: bunker manifest add --artifact --artifact-subject IMAGE",
    });
  }
  const found = findList(store, text);
  const { list } = found;
  const member = findMember(list, memberDigest(store, found, manifest), text);
  const better = annotateMember(member, annotationOf(options));
  return { ...list, manifests: list.manifests.map((other) => (other === member ? better : other)) };
}
