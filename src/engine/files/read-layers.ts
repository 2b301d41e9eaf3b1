/*
 * What is done with the layers of a container as root of the user namespace that its files are for: by `bunker internal`,
 * which engine/files/ask-inside.ts starts there. The request comes as JSON, the answer goes back as JSON; archives go
 * through the first descriptor that was passed.
 */
import { closeSync, openSync } from "node:fs";
import * as v from "valibot";
import { archiveEntries } from "../../image/layers/layer-diff.ts";
import { type Change, listChanges } from "../../image/layers/list-changes.ts";
import { Losses } from "../../image/layers/losses.ts";
import { mergedEntries } from "../../image/layers/merged-entries.ts";
import { type NewLayer, packLayer } from "../../image/layers/pack-layer.ts";
import { type UpperEntry, upperEntries } from "../../image/layers/upper-directory.ts";
import { FIRST_PASSED_DESCRIPTOR } from "../../runtime/user-namespace-process.ts";
import { OpenFlag } from "../../sys/open.ts";
import { withoutMountStubs } from "./mount-stubs.ts";
import { writeFully } from "./write-fully.ts";

const layersSchema = v.object({
  upper: v.optional(v.string()),
  lower: v.array(v.string()),
  mountPoints: v.array(v.string()),
});

export const changesRequestSchema = v.object({ layers: layersSchema });

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

/** Lists what a container has changed. */
export function changesHere({ layers }: v.InferOutput<typeof changesRequestSchema>): Change[] {
  using opened = openLayers(layers);
  return listChanges(withoutMountStubs(changedEntries(opened), layers.mountPoints, opened.lower));
}

/**
 * Writes the whole root file system of a container as an archive.
 * @returns warnings
 */
export function archiveHere({ layers, output }: v.InferOutput<typeof archiveRequestSchema>): string[] {
  using opened = openLayers(layers);
  const losses = new Losses();
  const options = { latestTime: undefined, lose: losses.add.bind(losses) };
  for (const piece of archiveEntries(mergedEntries(opened.all), options)) {
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
  const entries = content === "everything" ? mergedEntries(opened.all) : changedEntries(opened);
  const archive = archiveEntries(withoutMountStubs(entries, layers.mountPoints, opened.lower), {
    latestTime,
    lose: losses.add.bind(losses),
  });
  const layer = await packLayer(archive, "gzip", async (bytes) =>
    writeFully(FIRST_PASSED_DESCRIPTOR, bytes, "the image store"),
  );
  return { ...layer, warnings: losses.messages() };
}

interface OpenLayers extends Disposable {
  readonly upper: number | undefined;
  readonly lower: readonly number[];
  /** The uppermost first. */
  readonly all: readonly number[];
}

function openLayers({ upper, lower }: v.InferOutput<typeof layersSchema>): OpenLayers {
  const opened: number[] = [];
  const open = (path: string) => {
    const descriptor = openSync(path, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY);
    opened.push(descriptor);
    return descriptor;
  };
  const close = () => opened.forEach((descriptor) => void closeSync(descriptor));
  try {
    const upperDescriptor = upper === undefined ? undefined : open(upper);
    const lowerDescriptors = lower.map(open);
    return { upper: upperDescriptor, lower: lowerDescriptors, all: opened, [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
}

function changedEntries({ upper, lower }: OpenLayers): Iterable<UpperEntry> {
  return upper === undefined ? [] : upperEntries(upper, lower);
}
