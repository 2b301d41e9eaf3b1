import * as v from "valibot";
import type { Digest } from "../../image/digest.ts";
import { contentKeyAnswerSchema } from "./content-key-here.ts";
import type { FileSelection } from "./file-source.ts";
import { type FileWork, WorkRoots } from "./file-work.ts";

/**
 * Computes the key of what an instruction takes from a stage or an image. Everything is read, in a process that is root
 * there: what the stage was made by is as good a key, and costs nothing; this one is for when that has not been seen before.
 * @param layers the directories of its layers, the uppermost first
 * @throws BunkerError `source_not_found`, `copy_failed`, `invalid_pattern`, and the reason of `signal`
 */
export async function keyOfLayers(
  layers: readonly string[],
  { paths, excluded, keepsParents }: Omit<FileSelection, "source">,
  where: FileWork,
  signal: AbortSignal,
): Promise<Digest> {
  using roots = new WorkRoots(where);
  const root = roots.layers(layers);
  const answer = await roots.run(
    "content-key",
    (descriptors) => ({ root: descriptors[root], paths, excluded, keepsParents }),
    signal,
  );
  return v.parse(v.pipe(v.string(), v.parseJson(), contentKeyAnswerSchema), answer).digest;
}
