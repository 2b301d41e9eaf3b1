/*
 * An image layout as a tar archive, in a stream: blobs in the order in which they come, the documents at the end. Every
 * entry has the same owner, modes and time, so that the same images give the same bytes.
 */
import { type ByteString, encodeText } from "../../sys/byte-string.ts";
import { splitDigest } from "../digest.ts";
import { blobPath } from "../layout-files.ts";
import { checkRoom } from "../room.ts";
import { endOfArchive, entryHeaders, paddingAfter } from "../tar/tar-writer.ts";
import type { ByteOutput } from "./byte-output.ts";
import type { LayoutSink } from "./layout-sink.ts";

/**
 * Begins an archive.
 * @param output becomes the sink's
 * @param modified the time of all entries, in seconds since 1970
 */
export function openArchiveSink(output: ByteOutput, modified: number): LayoutSink {
  const written = new Set<string>();
  const writeHeaders = (type: "file" | "directory", name: string, size: number) =>
    output.write(
      entryHeaders({
        type,
        name: encodeText(name),
        linkName: "" as ByteString,
        mode: type === "file" ? 0o644 : 0o755,
        uid: 0,
        gid: 0,
        size,
        modified: { seconds: modified, nanoseconds: 0 },
        deviceMajor: 0,
        deviceMinor: 0,
        attributes: new Map(),
      }),
    );
  const makeDirectory = async (name: string) => {
    if (written.has(name)) return;
    written.add(name);
    await writeHeaders("directory", name, 0);
  };
  return {
    concurrency: 1,
    checkRoom: (bytes, name) => {
      if (output.directory !== undefined) checkRoom(output.directory, bytes, name);
    },
    has: ({ digest }) => written.has(digest),
    add: async ({ digest, size }, pieces) => {
      await makeDirectory("blobs/");
      await makeDirectory(`blobs/${splitDigest(digest).algorithm}/`);
      await writeHeaders("file", blobPath(digest), size);
      for await (const piece of pieces) await output.write(piece);
      await output.write(paddingAfter(size));
      written.add(digest);
    },
    commit: async (documents) => {
      for (const [name, bytes] of documents(undefined)) {
        await writeHeaders("file", name, bytes.length);
        await output.write(bytes);
        await output.write(paddingAfter(bytes.length));
      }
      await output.write(endOfArchive());
      await output.commit();
    },
    [Symbol.asyncDispose]: () => output[Symbol.asyncDispose](),
  };
}
