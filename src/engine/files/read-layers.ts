/*
 * What is done with the layers of a container as root of the user namespace that its files are for: by `bunker internal`,
 * which engine/files/ask-inside.ts starts there. The request comes as JSON, the answer goes back as JSON; archives go
 * through the first descriptor that was passed.
 */
import * as v from "valibot";
import { archiveEntries, archiveLayer } from "../../image/layers/layer-diff.ts";
import { Losses } from "../../image/layers/losses.ts";
import { mergedEntries } from "../../image/layers/merged-entries.ts";
import { type NewLayer, packLayer } from "../../image/layers/pack-layer.ts";
import { FIRST_PASSED_DESCRIPTOR } from "../../runtime/user-namespace-process.ts";
import { withoutMountStubs } from "./mount-stubs.ts";
import { changedEntries, type OpenLayers, openLayers } from "./open-layers.ts";
import { writeFully } from "./write-fully.ts";

const layersSchema = v.object({
  upper: v.optional(v.string()),
  lower: v.array(v.string()),
  mountPoints: v.array(v.string()),
});

export const archiveRequestSchema = v.object({
  layers: layersSchema,
  /** For messages. */
  output: v.string(),
});

export const packRequestSchema = v.object({
  layers: layersSchema,
  /** `changes` packs what the container has changed, `everything` its whole root file system. */
  content: v.picklist(["changes", "everything"]),
  /** Seconds since 1970 that no time in the archive is beyond. */
  latestTime: v.optional(v.number()),
});

/** A layer that was packed, and what could not be said in it. */
export interface PackedLayer extends NewLayer {
  readonly warnings: readonly string[];
}

/**
 * Writes the whole root file system of a container as an archive.
 * @returns warnings
 */
export function archiveHere({ layers, output }: v.InferOutput<typeof archiveRequestSchema>): string[] {
  using opened = openLayers(layers);
  const losses = new Losses();
  const options = { latestTime: undefined, lose: losses.add.bind(losses) };
  for (const piece of archiveEntries(mergedEntries(allOf(opened)), options)) {
    writeFully(FIRST_PASSED_DESCRIPTOR, piece, output);
  }
  return losses.messages();
}

/** Packs what is to become a layer of an image. */
export async function packHere({
  layers,
  content,
  latestTime,
}: v.InferOutput<typeof packRequestSchema>): Promise<PackedLayer> {
  using opened = openLayers(layers);
  const losses = new Losses();
  const entries =
    content === "everything"
      ? withoutMountStubs(mergedEntries(allOf(opened)), layers.mountPoints, opened.lower)
      : changedEntries(opened, layers.mountPoints);
  const archive = archiveLayer(entries, { latestTime, lose: losses.add.bind(losses) });
  const layer = await packLayer(archive, "gzip", async (bytes) =>
    writeFully(FIRST_PASSED_DESCRIPTOR, bytes, "the image store"),
  );
  return { ...layer, warnings: losses.messages() };
}

/** The uppermost first. */
function allOf({ upper, lower }: OpenLayers): readonly number[] {
  return upper === undefined ? lower : [upper, ...lower];
}
