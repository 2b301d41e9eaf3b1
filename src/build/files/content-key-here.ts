import * as v from "valibot";
import { digestSchema } from "../../image/digest.ts";
import { type ContentKey, contentKeyOf } from "./content-key.ts";

/** What is asked of a process that has the root file system of a stage as `root`. */
export const contentKeyRequestSchema = v.object({
  root: v.number(),
  paths: v.array(v.string()),
  excluded: v.array(v.string()),
  keepsParents: v.boolean(),
});

export const contentKeyAnswerSchema = v.object({ digest: digestSchema, stamp: v.optional(v.string()) });

/** Computes the key of files of a stage. */
export function contentKeyHere({
  root,
  ...selection
}: v.InferOutput<typeof contentKeyRequestSchema>): Promise<ContentKey> {
  const never = new AbortController().signal;
  return contentKeyOf({ root, ignored: [] }, selection, "kept", undefined, never);
}
