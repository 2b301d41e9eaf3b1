import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../../../src/image/digest.ts";
import { directoryFiles } from "../../../../src/image/layout-files.ts";
import { hostPlatform } from "../../../../src/image/platform.ts";
import { collectGarbage } from "../../../../src/image/store/collect-garbage.ts";
import { type ImageStore, openImageStore } from "../../../../src/image/store/image-store.ts";
import { OpenBlobs } from "../../../../src/image/store/open-blobs.ts";
import { openStoreReader } from "../../../../src/image/store/store-reader.ts";
import { StoreWriter } from "../../../../src/image/store/store-writer.ts";
import { copyImage } from "../../../../src/image/transport/copy-image.ts";
import { openDirectorySink } from "../../../../src/image/transport/directory-sink.ts";
import { openLayoutOutput } from "../../../../src/image/transport/layout-output.ts";
import { openLayoutReader } from "../../../../src/image/transport/layout-reader.ts";
import type { ImageChoice } from "../../../../src/image/transport/read-manifests.ts";
import type { ImageReader, ImageWriter } from "../../../../src/image/transport/transport.ts";
import { removeTree } from "../../../../src/sys/remove-tree.ts";
import { INDEX_TYPE, pack, writeImage, writeJson, writeLayout } from "../image-builder.ts";
import { archive } from "../tar-builder.ts";

const NAME = "docker.io/library/read:1";
const base = pack(archive([{ name: "base", content: "b".repeat(50_000) }]));
const top = pack(archive([{ name: "top", content: "t" }]), "gzip");
const other = pack(archive([{ name: "other", content: "o" }]), "gzip");
const { architecture } = hostPlatform();

let directory: string;
let layout: string;
let store: ImageStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-reader-"));
  layout = join(directory, "layout");
  store = openImageStore(join(directory, "data"));
});
afterEach(() => {
  store[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

async function copy(from: ImageReader, to: ImageWriter, images: ImageChoice): Promise<void> {
  await copyImage(from, to, { images, signal: new AbortController().signal, onProgress: () => undefined });
}

async function fill(images: ImageChoice): Promise<void> {
  await using writer = new StoreWriter(store, NAME, { names: [NAME], repositories: [] });
  await copy(
    openLayoutReader(directoryFiles(layout, "the layout"), undefined, undefined, "the layout"),
    writer,
    images,
  );
}

/** What `rmi` and `prune` of another process come to. */
function removeEverything(): void {
  using another = openImageStore(store.directory);
  another.change((state) => {
    for (const table of ["name", "label", "layer", "repository_digest", "image"]) state.run(`DELETE FROM ${table}`);
  });
  collectGarbage(another, { layersInUse: () => [], removeTree });
  expect(readdirSync(`${store.directory}/blobs/sha256`)).toEqual([]);
}

async function copyOut(reader: ImageReader, images: ImageChoice): Promise<string[]> {
  const destination = join(directory, "out");
  await using output = openLayoutOutput(await openDirectorySink(destination), "oci");
  await copy(reader, output.writer("out", { annotations: [], repositoryTags: [] }), images);
  await output.commit();
  const names = readdirSync(`${destination}/blobs/sha256`).sort();
  for (const name of names) {
    const [copied, original] = [destination, layout].map((place) => readFileSync(`${place}/blobs/sha256/${name}`));
    expect(original && copied?.equals(original)).toBe(true);
  }
  return names;
}

/** The blobs of the store that this process has open. */
function openBlobs(): string[] {
  const links = readdirSync("/proc/self/fd").map((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      // The descriptor by which the directory itself was read.
      return "";
    }
  });
  return links.filter((link) => link.startsWith(`${store.directory}/blobs/`));
}

test("an image that is being read can be read to its end, although it is removed", async () => {
  writeLayout(layout, [writeImage(layout, [base, top], { architecture })]);
  await fill([]);
  {
    await using reader = openStoreReader(store, "read:1", undefined);
    expect(openBlobs()).toHaveLength(4);
    removeEverything();
    expect(await copyOut(reader, [])).toEqual(readdirSync(`${layout}/blobs/sha256`).sort());
  }
  expect(openBlobs()).toEqual([]);
  expect(() => openStoreReader(store, "read:1", undefined)).toThrow("no such image");
  expect(openBlobs()).toEqual([]);
});

test("so can the layers of one that is only unpacked", async () => {
  writeLayout(layout, [writeImage(layout, [base, top], { architecture })]);
  await fill([]);
  {
    using blobs = new OpenBlobs(store);
    const { layers } = blobs.image(store.find("read:1"), "read:1");
    const digests = layers.flatMap(({ digest }) => digest ?? []);
    removeEverything();
    expect(digests.map((digest) => digestOf(readFileSync(blobs.get(digest))))).toEqual(digests);
    expect(layers.map(({ blob }) => digestOf(readFileSync(blob.path)))).toEqual(digests);
    const missing = digestOf(Buffer.from("missing"));
    expect(blobs.find(missing)).toBeUndefined();
    expect(() => blobs.get(missing)).toThrow(`read ${missing}: it is not in ${store.directory}`);
  }
  expect(openBlobs()).toEqual([]);
});

test("so can all images of an index", async () => {
  const images = [
    { ...writeImage(layout, [base, top], { architecture }), platform: { os: "linux", architecture } },
    {
      ...writeImage(layout, [base, other], { architecture: "s390x" }),
      platform: { os: "linux", architecture: "s390x" },
    },
  ];
  writeLayout(layout, [writeJson(layout, { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: images }, INDEX_TYPE)]);
  await fill("all");
  await using reader = openStoreReader(store, "read:1", "all");
  removeEverything();
  expect(await copyOut(reader, "all")).toEqual(readdirSync(`${layout}/blobs/sha256`).sort());
});

test("a blob that is not whole is told by its path in the store, and what to do about one that is damaged", async () => {
  writeLayout(layout, [writeImage(layout, [base], { architecture })]);
  await fill([]);
  const path = `${store.directory}/blobs/sha256/${store.find("read:1").layers[0]?.digest.slice("sha256:".length)}`;
  const hint = "It is damaged in the store: remove the images that have it (bunker rmi), and pull or load them again.";
  await using reader = openStoreReader(store, "read:1", undefined);
  writeFileSync(path, Buffer.alloc(base.bytes.length));
  await expect(copyOut(reader, [])).rejects.toMatchObject({
    message: expect.stringMatching(/^copy blob sha256:[0-9a-f]{64} of read:1: verify blob .*: its digest is sha256:/),
    hint,
  });
  truncateSync(path, 100);
  await expect(copyOut(reader, [])).rejects.toMatchObject({ message: `read ${path}: it is truncated`, hint });
});
