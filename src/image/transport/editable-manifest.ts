import * as v from "valibot";
import { digestSchema } from "../digest.ts";
import { invalidDocument } from "../documents.ts";
import type { Manifest } from "./transport.ts";

const descriptor = v.looseObject({
  mediaType: v.string(),
  digest: digestSchema,
  size: v.number(),
  annotations: v.nullish(v.record(v.string(), v.unknown())),
});

const manifest = v.pipe(
  v.string(),
  v.parseJson(undefined, "it is not JSON"),
  v.looseObject({
    mediaType: v.nullish(v.string()),
    config: v.nullish(descriptor),
    layers: v.nullish(v.array(descriptor)),
    manifests: v.nullish(v.array(descriptor)),
  }),
);

/** What a manifest or an index names, with all that it says of it. */
export type EditableDescriptor = v.InferOutput<typeof descriptor>;

/** A manifest or an index to be written anew: what is not understood stays in it. */
export type EditableManifest = v.InferOutput<typeof manifest>;

/**
 * Reads a manifest or an index to be changed.
 * @param name of the image, for messages
 * @throws BunkerError `image_invalid`
 */
export function parseEditableManifest({ digest, bytes }: Manifest, name: string): EditableManifest {
  const parsed = v.safeParse(manifest, bytes.toString("utf8"));
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = v.getDotPath(issue);
  throw invalidDocument(`manifest ${digest} of ${name}`, path === null ? issue.message : `${path}: ${issue.message}`);
}
