import { TAG_ANNOTATION } from "../../image/manifest-choice.ts";
import { parseReference } from "../../image/reference.ts";
import { openArchiveSink } from "../../image/transport/archive-sink.ts";
import { openFileOutput, standardOutput } from "../../image/transport/byte-output.ts";
import { openDirectorySink } from "../../image/transport/directory-sink.ts";
import { FULL_NAME_ANNOTATION, openLayoutOutput } from "../../image/transport/layout-output.ts";
import { dockerArchiveNames } from "../../image/transport/local-places.ts";
import type { ImageWriter } from "../../image/transport/transport.ts";
import type { ImageOutput } from "./export.ts";

/**
 * Writes an image that was built to an image layout, in a directory or in an archive, as `--output type=oci` and
 * `type=docker` do with `dest`.
 * @param destination a path, or `-` for standard output
 * @param name of the image, for messages
 * @param time seconds since 1970 that the members of an archive have; the epoch unless given
 * @param copy copies the image
 * @throws BunkerError as `openDirectorySink` and `openFileOutput`; the reason of `signal`
 */
export async function writeLayout(
  { type, names, isDirectory }: Exclude<ImageOutput, { readonly type: "image" }>,
  destination: string,
  name: string,
  time: number | undefined,
  signal: AbortSignal,
  copy: (writer: ImageWriter) => Promise<unknown>,
): Promise<void> {
  const sink = isDirectory
    ? openDirectorySink(destination)
    : openArchiveSink(
        destination === "-" ? standardOutput(signal) : await openFileOutput(destination, signal),
        time ?? 0,
      );
  await using layout = openLayoutOutput(sink, type);
  const named =
    type === "docker"
      ? dockerArchiveNames(names)
      : {
          annotations: names.map((each) => ({
            [FULL_NAME_ANNOTATION]: each,
            [TAG_ANNOTATION]: parseReference(each).tag ?? each,
          })),
          repositoryTags: [],
        };
  await copy(layout.writer(name, named));
  await layout.commit();
}
