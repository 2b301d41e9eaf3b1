import { dataDirectory } from "../../engine/data-directory.ts";
import { makeArtifact } from "../../image/manifest-list/artifact.ts";
import { findMembers, subjectOf } from "../../image/manifest-list/find-members.ts";
import { findList, listName, publishList } from "../../image/manifest-list/list-store.ts";
import { annotate, withMember } from "../../image/manifest-list/manifest-list.ts";
import { Registries } from "../../image/registry/registries.ts";
import { BlobStaging } from "../../image/store/blob-staging.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { defineCommand } from "../command.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";
import { print } from "../print.ts";
import { registryOptions, registrySettings } from "../registry/registry-options.ts";
import { artifactOf, artifactOptions } from "./artifact-options.ts";
import { allOption, insecureOption, withInsecure } from "./manifest-options.ts";
import { annotationOf, memberOptions } from "./member-options.ts";

/** `bunker manifest add`. */
export const add = defineCommand(
  {
    options: { ...registryOptions, ...memberOptions, ...artifactOptions, all: allOption, insecure: insecureOption },
    required: ["MANIFEST_LIST", "IMAGE|FILE"],
    optional: "[IMAGE|FILE...]",
    failureStatus: 1,
  },
  async ({ options, operands: [text, ...others] }) => {
    const parts = artifactOf(options, others, options.all);
    using store = openImageStore(dataDirectory());
    using registries = new Registries(withInsecure(registrySettings(options), options.insecure), warning);
    const present = () => findList(store, text, `bunker manifest create ${text} makes one.`).list;
    // Before anything is fetched.
    present();
    const annotation = annotationOf(options);
    return await untilInterrupted(async (signal) => {
      const places = { store, registries, signal };
      using staging = new BlobStaging(store.directory);
      const members =
        parts === undefined
          ? (await Array.fromAsync(others, (image) => findMembers(image, options.all, places))).flat()
          : [
              await makeArtifact(
                { ...parts, subject: await subjectOf(options.artifactSubject, places) },
                staging,
                signal,
              ),
            ];
      const longer = () =>
        members.reduce((sum, { member }) => withMember(sum, annotate(member, annotation)), present());
      print(publishList(store, staging, listName(text), longer, members));
      return 0;
    });
  },
);
