import { openSync } from "node:fs";
import * as v from "valibot";
import { digestOf } from "../../image/digest.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { OpenFlag } from "../../sys/open.ts";
import { type ContentKey, contentKeyOf, textsKey } from "./content-key.ts";
import { contentKeyAnswerSchema } from "./content-key-here.ts";
import { FileDigests } from "./file-digests.ts";
import type { FileSelection } from "./file-source.ts";
import { type FileWork, WorkRoots } from "./file-work.ts";

/**
 * Computes the key of what an instruction takes from a source. Of directories of the caller digests are remembered from
 * build to build. Of a stage everything is read, in a process that is root there: what the stage was made by is as good a
 * key, and costs nothing; this one is for when that has not been seen before.
 * @throws BunkerError `source_not_found`, `copy_failed`, `invalid_pattern`, and the reason of `signal`
 */
export async function keyOfFiles(selection: FileSelection, where: FileWork, signal: AbortSignal): Promise<ContentKey> {
  const { source, paths, excluded, keepsParents } = selection;
  if (source.kind === "texts") return textsKey(source.files);
  if (source.kind === "directory" && source.identity !== undefined) {
    // Nobody else has the directory, so nobody changes it meanwhile either.
    return {
      digest: digestOf(JSON.stringify([source.identity, source.ignored, paths, excluded, keepsParents])),
      stamp: undefined,
    };
  }
  if (source.kind === "directory") {
    using root = openContext(source.path);
    using digests = new FileDigests(where.data);
    return await contentKeyOf({ root: root.number, ignored: source.ignored }, selection, "root", digests, signal);
  }
  using roots = new WorkRoots(where);
  const root = roots.layers(source.layers);
  const answer = await roots.run(
    "content-key",
    (descriptors) => ({ root: descriptors[root], paths, excluded, keepsParents }),
    signal,
  );
  const { digest, stamp } = v.parse(v.pipe(v.string(), v.parseJson(), contentKeyAnswerSchema), answer);
  return { digest, stamp };
}

function openContext(path: string): FileDescriptor {
  try {
    return new FileDescriptor(openSync(path, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY));
  } catch (cause) {
    const errno = errnoOf(cause);
    throw new BunkerError(
      { code: "source_not_found", operation: "open", object: path, errno, exitStatus: 1 },
      { cause },
    );
  }
}
