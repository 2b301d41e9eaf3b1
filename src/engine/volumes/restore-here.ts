import { closeSync, createReadStream, openSync } from "node:fs";
import * as v from "valibot";
import { LayerWriter } from "../../image/layers/layer-writer.ts";
import { Losses } from "../../image/layers/losses.ts";
import { TarReader } from "../../image/tar/tar-reader.ts";
import { decompressed } from "../../image/transport/archive-input.ts";
import { FIRST_PASSED_DESCRIPTOR } from "../../runtime/user-namespace-process.ts";
import { setUmask } from "../../sys/file.ts";
import { OpenFlag } from "../../sys/open.ts";

export const restoreRequestSchema = v.object({
  content: v.string(),
  /** The archive's, for messages; it comes through the first descriptor that was passed. */
  name: v.string(),
  mapping: v.picklist(["full", "single"]),
});

/**
 * Unpacks an archive into a directory, as root of the user namespace that its files are for.
 * @returns warnings about what could not be kept
 * @throws BunkerError `archive_invalid`, `layer_refused`, `no_space`
 */
export async function restoreHere({
  content,
  name,
  mapping,
}: v.InferOutput<typeof restoreRequestSchema>): Promise<string[]> {
  const umask = setUmask(0);
  const root = openSync(content, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY);
  try {
    const losses = new Losses();
    using writer = new LayerWriter(root, mapping, losses.add.bind(losses), "tree");
    const reader = new TarReader(writer);
    const stream = createReadStream("", { fd: FIRST_PASSED_DESCRIPTOR, highWaterMark: 1 << 20 });
    for await (const piece of decompressed({ name, stream: stream as AsyncIterable<Uint8Array> })) reader.feed(piece);
    reader.finish();
    writer.finish([]);
    return losses.messages();
  } finally {
    closeSync(root);
    setUmask(umask);
  }
}
