import { identifyLayers } from "../../image/chain-id.ts";
import { layerName } from "../../image/layers/layer-directory.ts";
import { makeStoreDirectory } from "../../image/layers/store-lock.ts";
import { StoreWriter } from "../../image/store/store-writer.ts";
import { copyImage } from "../../image/transport/copy-image.ts";
import type { ImageWriter } from "../../image/transport/transport.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import type { BuildOptions, BuildOutput } from "../build-options.ts";
import type { PlannedStage } from "../graph/plan-stage.ts";
import type { Root } from "../graph/root.ts";
import type { BuildSession } from "../graph/session.ts";
import { Vertex } from "../progress.ts";
import { type BuiltImage, type BuiltImageReader, readerOfBuiltImages } from "./built-image.ts";
import { imageDocument } from "./image-document.ts";
import { type PackedLayer, type Packing, packLayers, packSquashed, packWhole } from "./packed-layers.ts";

/** A target that was built. */
export interface BuiltTarget {
  readonly stage: PlannedStage;
  readonly root: Root;
  /** What is said about its image, which has these names, beside it. */
  readonly statements: (names: readonly string[]) => BuiltImage["statements"];
}

/** What was written. */
export interface ExportedImage {
  readonly id: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  readonly names: readonly string[];
}

export type ImageOutput = Exclude<BuildOutput, { readonly type: "local" | "tar" }>;

/**
 * Writes what was built to one place.
 * @param targets one for each platform
 * @returns undefined where no image was written
 * @throws BunkerError `several_platforms`, and what the places can meet
 */
export async function exportTo(
  session: BuildSession,
  output: BuildOutput,
  targets: readonly [BuiltTarget, ...BuiltTarget[]],
  options: BuildOptions,
): Promise<ExportedImage | undefined> {
  const { observer, signal } = session;
  if (output.type === "local" || output.type === "tar") {
    const vertex = new Vertex(observer, `exporting to client ${output.type === "tar" ? "tarball" : "directory"}`);
    await vertex.during(signal, async () => {
      const { exportFiles } = await import("./export-files.ts");
      await exportFiles(session, output, targets, vertex);
    });
    return undefined;
  }
  const name = output.type === "image" ? "image" : `${output.type} image format`;
  const vertex = new Vertex(observer, `exporting to ${name}`);
  const latestTime = output.packing.rewritesTimes ? session.sourceDateEpoch : undefined;
  const earliestTime = options.statesTimes ? latestTime : undefined;
  const packing = { ...output.packing, latestTime, earliestTime };
  return vertex.during(signal, async () => {
    const staging = session.cache.makeStaging();
    try {
      const images: BuiltImage[] = [];
      vertex.status("layers", "exporting layers");
      for (const target of targets) images.push(await buildImage(session, target, output, packing, options, staging));
      vertex.status("layers", "exporting layers", true);
      const [first, ...more] = images;
      if (first === undefined) throw new Error("a build without a target");
      const annotations = (on: "manifest" | "index") =>
        Object.fromEntries(options.annotations.filter((each) => each.on === on).map((each) => [each.name, each.value]));
      const reader = readerOfBuiltImages("the image that was built", [first, ...more], {
        mediaTypes: output.packing.mediaTypes,
        annotations: annotations("manifest"),
        indexAnnotations: annotations("index"),
        isIndex: session.arguments.isIndex,
      });
      vertex.status("manifest", `exporting manifest ${reader.root.digest}`, true);
      vertex.status("config", `exporting config ${reader.configuration.digest}`, true);
      await writeImage(session, output, reader, vertex);
      if (output.type === "image" && latestTime === undefined && options.squashes === undefined) {
        for (const [place, target] of targets.entries()) shareLayers(session, target, images[place]?.layers ?? []);
      }
      return {
        id: reader.configuration.digest,
        digest: reader.root.digest,
        mediaType: reader.root.mediaType,
        size: reader.root.bytes.length,
        names: output.names,
      };
    } finally {
      removeTree(staging);
    }
  });
}

async function buildImage(
  session: BuildSession,
  { stage, root, statements }: BuiltTarget,
  { names }: ImageOutput,
  packing: Packing,
  options: BuildOptions,
  staging: string,
): Promise<BuiltImage> {
  // Of an image alone there is nothing added.
  const squashed = root.layers.length === 0 && options.squashes === "added" ? undefined : options.squashes;
  const pack = { none: packLayers, added: packSquashed, everything: packWhole }[squashed ?? "none"];
  const layers = await pack(session, root, packing, staging);
  const diffIds = layers.map(({ diffId }) => diffId);
  const hasCache = session.arguments.cachesInline || options.cacheDestinations.some(({ type }) => type === "inline");
  const configuration = imageDocument(stage, root, {
    ...{ labels: options.labels, diffIds, sourceDateEpoch: session.sourceDateEpoch, squashed },
    unsetVariables: options.unsetVariables,
    omitsHistory: options.omitsHistory,
    cache: hasCache ? await cacheRecords(stage, root, diffIds.length) : undefined,
  });
  return { platform: stage.platform, configuration, layers, statements: statements(names) };
}

async function cacheRecords({ node }: PlannedStage, root: Root, layers: number) {
  const { inlineRecords } = await import("../remote-cache/inline-cache.ts");
  return inlineRecords(node, root, layers);
}

async function writeImage(
  session: BuildSession,
  output: ImageOutput,
  reader: BuiltImageReader,
  vertex: Vertex,
): Promise<void> {
  const { store, signal } = session;
  const copy = (writer: ImageWriter) =>
    copyImage(reader, writer, { images: "all", signal, onProgress: () => undefined });
  if (output.type !== "image" && output.destination !== undefined) {
    const { writeLayout } = await import("./write-layout.ts");
    await writeLayout(output, output.destination, reader.name, session.sourceDateEpoch, signal, copy);
    return;
  }
  for (const name of output.names) vertex.status(`name ${name}`, `naming to ${name}`);
  await using writer = new StoreWriter(store, reader.name, { names: output.names, repositories: [] });
  await copy(writer);
  for (const name of output.names) vertex.status(`name ${name}`, `naming to ${name}`, true);
  if (output.type !== "image" || !output.pushes) return;
  const { pushTo } = await import("./push-to.ts");
  for (const name of output.names) {
    vertex.status(`push ${name}`, `pushing ${name}`);
    await pushTo(name, session.registrySettings, copy, signal, (message) => session.observer.warn(message));
    vertex.status(`push ${name}`, `pushing ${name}`, true);
  }
}

/**
 * Lets the layers of a built image be found as unpacked layers, by a symbolic link to where the cache has them: so nothing
 * has to be unpacked to run it.
 * @param packed its layers, packed, with the times that the files have
 */
function shareLayers(
  { data, ownership, cache }: BuildSession,
  { root }: BuiltTarget,
  packed: readonly PackedLayer[],
): void {
  makeStoreDirectory(`${data}/layers`);
  const own = packed.length - root.layers.length;
  const identities = identifyLayers(packed.map(({ diffId }) => diffId)).slice(own);
  for (const [place, layer] of root.layers.entries()) {
    const identity = identities[place];
    if (identity === undefined) continue;
    cache.share(layer, `${data}/layers`, layerName(identity, ownership.mapping));
  }
}
