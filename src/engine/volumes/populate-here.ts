/*
 * The copy of what an image has at a volume's place, as root of the user namespace that the files are for. It goes the way
 * of a layer, out of the image's and into the volume, but for the archive's never being written anywhere: so owners,
 * modes, times, hard links, holes, attributes and access control lists are kept as pulling keeps them.
 */
import { closeSync, mkdirSync, openSync, readdirSync } from "node:fs";
import * as v from "valibot";
import { archiveEntries } from "../../image/layers/layer-diff.ts";
import { LayerWriter } from "../../image/layers/layer-writer.ts";
import { Losses } from "../../image/layers/losses.ts";
import { entriesBelow } from "../../image/layers/merged-entries.ts";
import { openMergedDirectory } from "../../image/layers/open-merged-directory.ts";
import { SpaceLeft } from "../../image/layers/space-left.ts";
import { TarReader } from "../../image/tar/tar-reader.ts";
import { encodeText } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { errnoOf } from "../../sys/error.ts";
import { setUmask } from "../../sys/file.ts";
import { OpenFlag } from "../../sys/open.ts";

export const populateRequestSchema = v.object({
  /** The directories of the image's layers, the uppermost first. */
  layers: v.array(v.string()),
  /** In the container. */
  destination: v.string(),
  /** The volume's directory, which gets nothing unless it is empty. */
  content: v.string(),
  /** A directory to be made beside it, for the copy. */
  staging: v.string(),
  mapping: v.picklist(["full", "single"]),
});

export type PopulateRequest = v.InferOutput<typeof populateRequestSchema>;

const answerSchema = v.object({
  /** Whether there is a copy now. */
  isCopied: v.boolean(),
  warnings: v.array(v.string()),
});

export const populateAnswerSchema = v.pipe(v.string(), v.parseJson(), answerSchema);

/** What has become of a request. */
export type PopulateAnswer = v.InferOutput<typeof answerSchema>;

/**
 * Copies what the image has at the place of a volume.
 * @throws BunkerError `system_call_failed`, `no_space`, `layer_refused`
 */
export function populateHere({ layers, destination, content, staging, mapping }: PopulateRequest): PopulateAnswer {
  if (!isEmpty(content)) return { isCopied: false, warnings: [] };
  using opened = new DisposableStack();
  const open = (path: string) =>
    opened.adopt(openSync(path, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY), (descriptor) => closeSync(descriptor));
  const source = openMergedDirectory(layers.map(open), encodeText(destination));
  if (source === undefined) return { isCopied: false, warnings: [] };
  opened.use(source);
  const umask = setUmask(0);
  try {
    mkdirSync(staging, { mode: 0o700 });
    const losses = new Losses();
    const lose = losses.add.bind(losses);
    const root = open(staging);
    using writer = new LayerWriter(root, mapping, lose, "tree", new SpaceLeft(root));
    const reader = new TarReader(writer);
    for (const piece of archiveEntries(entriesBelow(source), { latestTime: undefined, lose })) reader.feed(piece);
    reader.finish();
    // The directory itself has no entry, and is to look like the image's.
    const uppermost = source.uppermost();
    writer.finish(uppermost === undefined ? [] : [{ descriptor: uppermost }]);
    return { isCopied: true, warnings: losses.messages() };
  } finally {
    setUmask(umask);
  }
}

/** Whether a volume has nothing in it. While its empty directory is read, another container's copy may take its place. */
function isEmpty(content: string): boolean {
  const look = () => readdirSync(content).length === 0;
  try {
    return look();
  } catch (error) {
    if (errnoOf(error) !== Errno.ENOENT) throw error;
    return look();
  }
}
