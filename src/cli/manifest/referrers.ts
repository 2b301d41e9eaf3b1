import { parseReference, withDefaultTag } from "../../image/reference.ts";
import { readManifest } from "../../image/registry/manifests.ts";
import { listReferrers, type Referrer } from "../../image/registry/referrers.ts";
import { Registries } from "../../image/registry/registries.ts";
import { defineCommand } from "../command.ts";
import { elapsed } from "../format/elapsed.ts";
import { listFormatOption } from "../format/format-option.ts";
import { humanSize } from "../format/human-size.ts";
import { formatList, type ListDescription } from "../format/list-output.ts";
import { localTimestamp } from "../format/local-time.ts";
import { printText } from "../format/print-text.ts";
import { shortId } from "../format/short-id.ts";
import { mapOrNil, type Structure } from "../format/template/value.ts";
import { untilInterrupted } from "../interruption.ts";
import { warning } from "../messages.ts";
import { flag, single } from "../option.ts";
import { print } from "../print.ts";
import { registryOptions, registrySettings } from "../registry/registry-options.ts";
import { notEmpty } from "../values/words.ts";
import { insecureOption, withInsecure } from "./manifest-options.ts";

const CREATED_ANNOTATION = "org.opencontainers.image.created";

const referrerList: ListDescription = {
  titles: {
    Annotations: "ANNOTATIONS",
    ArtifactType: "ARTIFACT TYPE",
    CreatedAt: "CREATED AT",
    CreatedSince: "CREATED",
    Digest: "DIGEST",
    MediaType: "MEDIA TYPE",
    Size: "SIZE",
  },
  columns: ["Digest", "ArtifactType", "CreatedSince", "Size"],
};

/** `bunker manifest referrers`: what refers to an image in its registry, such as signatures and bills of materials. */
export const referrers = defineCommand(
  {
    options: {
      ...registryOptions,
      artifactType: single({
        name: "artifact-type",
        valueName: "TYPE",
        description: "Show only what is of this type",
        parse: notEmpty("expected a media type"),
      }),
      format: listFormatOption,
      insecure: insecureOption,
      whole: flag({ name: "no-trunc", description: "Do not shorten digests" }),
      quiet: flag({ name: "quiet", short: "q", description: "Show only digests, never shortened" }),
    },
    required: ["NAME"],
    failureStatus: 1,
  },
  async ({ options, operands: [text] }) => {
    const { artifactType, format, quiet, whole } = options;
    const reference = withDefaultTag(parseReference(text.replace(/^docker:\/\//, "")));
    using registries = new Registries(withInsecure(registrySettings(options), options.insecure), warning);
    return await untilInterrupted(async (signal) => {
      // Mirrors come before the registry itself, and need not have what refers to an image.
      const repository = registries.forPull(reference).at(-1);
      if (repository === undefined) throw new Error("a name stands for at least one repository");
      const { digest } = await readManifest(repository, reference.digest ?? reference.tag ?? "latest", text, signal);
      const found = await listReferrers(repository, digest, text, signal, artifactType);
      if (quiet && format === undefined) {
        for (const referrer of found) print(referrer.digest);
        return 0;
      }
      const now = Date.now();
      const rows = found.map((referrer) => rowOf(referrer, whole || format?.kind === "template", now));
      printText(await formatList(referrerList, format, rows));
      return 0;
    });
  },
);

function rowOf(referrer: Referrer, whole: boolean, now: number): Structure {
  const { annotations, artifactType, digest, mediaType, size } = referrer;
  const created = Date.parse(annotations?.[CREATED_ANNOTATION] ?? "");
  const isKnown = !Number.isNaN(created);
  return {
    Annotations: mapOrNil(annotations ?? {}),
    ArtifactType: artifactType ?? "",
    CreatedAt: isKnown ? localTimestamp(created) : "N/A",
    CreatedSince: isKnown ? `${elapsed(now - created)} ago` : "N/A",
    Digest: whole ? digest : shortId(digest),
    MediaType: mediaType,
    Size: humanSize(size),
  };
}
