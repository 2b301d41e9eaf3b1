import * as v from "valibot";
import { digestSchema } from "../../image/digest.ts";
import { contentKeyOf } from "./content-key.ts";

/** What is asked of a process that has the root file system of a stage as `root`. */
export const contentKeyRequestSchema = v.object({
  root: v.number(),
  paths: v.array(v.string()),
  excluded: v.array(v.string()),
  keepsParents: v.boolean(),
});

export const contentKeyAnswerSchema = v.object({ digest: digestSchema });

/** Computes the key of files of a stage. */
export async function contentKeyHere({
  root,
  ...selection
}: v.InferOutput<typeof contentKeyRequestSchema>): Promise<v.InferOutput<typeof contentKeyAnswerSchema>> {
  const never = new AbortController().signal;
  const { digest } = await contentKeyOf({ root, ignored: [] }, selection, "kept", undefined, never);
  return { digest };
}
