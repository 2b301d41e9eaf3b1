import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directoryFiles } from "../../../../src/image/layout-files.ts";
import { hostPlatform } from "../../../../src/image/platform.ts";
import { type ImageStore, openImageStore } from "../../../../src/image/store/image-store.ts";
import { storeImage } from "../../../../src/image/store/load-images.ts";
import { StoreWriter } from "../../../../src/image/store/store-writer.ts";
import { copyImage } from "../../../../src/image/transport/copy-image.ts";
import { openLayoutReader } from "../../../../src/image/transport/layout-reader.ts";
import type { ImageChoice } from "../../../../src/image/transport/read-manifests.ts";
import type { ImageReader } from "../../../../src/image/transport/transport.ts";
import { BunkerError } from "../../../../src/sys/error.ts";
import { INDEX_TYPE, pack, writeImage, writeJson, writeLayout } from "../image-builder.ts";
import { archive } from "../tar-builder.ts";

const NAME = "docker.io/library/loaded:1";
const base = pack(archive([{ name: "base", content: "b".repeat(50_000) }]));
const top = pack(archive([{ name: "top", content: "t" }]), "gzip");

let data: string;
let layout: string;
let store: ImageStore;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "bunker-store-"));
  layout = mkdtempSync(join(tmpdir(), "bunker-layout-"));
  store = openImageStore(data);
});
afterEach(() => {
  store[Symbol.dispose]();
  for (const directory of [data, layout]) rmSync(directory, { recursive: true });
});

function reader(tag?: string): ImageReader {
  return openLayoutReader(directoryFiles(layout, "the layout"), tag, undefined, "the layout");
}

async function copy(from: ImageReader, images: ImageChoice = []): Promise<void> {
  await using writer = new StoreWriter(store, NAME, { names: [NAME], repositories: [] });
  await copyImage(from, writer, { images, signal: new AbortController().signal, onProgress: () => undefined });
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    if (error instanceof BunkerError) return error.code;
    throw error;
  }
}

const blobs = () => readdirSync(`${data}/blobs/sha256`).sort();

/** What is under way or was left there. */
const unfinished = () => [...readdirSync(`${data}/tmp`), ...readdirSync(`${data}/partial`)];

test("an image arrives with all that it is made of", async () => {
  const manifest = writeImage(layout, [base, top], { architecture: hostPlatform().architecture });
  writeLayout(layout, [manifest]);
  await copy(reader());
  expect(store.find("loaded:1")).toMatchObject({ names: [NAME], repositoryDigests: [], layers: [{}, {}] });
  expect(store.find("loaded:1").manifest.digest as string).toBe(manifest.digest);
  expect(blobs()).toEqual(readdirSync(`${layout}/blobs/sha256`).sort());
  for (const name of blobs()) {
    expect(readFileSync(`${data}/blobs/sha256/${name}`).equals(readFileSync(`${layout}/blobs/sha256/${name}`))).toBe(
      true,
    );
  }
  expect(unfinished()).toEqual([]);
});

test("what cannot have room is refused before any of it is asked for", async () => {
  const { architecture } = hostPlatform();
  const rootfs = { type: "layers", diff_ids: [base.diffId] };
  const config = writeJson(layout, { os: "linux", architecture, rootfs }, "application/vnd.oci.image.config.v1+json");
  const mediaType = "application/vnd.oci.image.layer.v1.tar";
  const layers = [{ mediaType, digest: `sha256:${"a".repeat(64)}`, size: 2 ** 52 }];
  const manifestType = "application/vnd.oci.image.manifest.v1+json";
  writeLayout(layout, [writeJson(layout, { schemaVersion: 2, config, layers }, manifestType)]);
  const pull = () => storeImage(store, reader(), [NAME], { platform: undefined, signal: new AbortController().signal });
  for (const [work, name] of [
    [pull, "the layout"],
    [() => copy(reader()), NAME],
  ] as const) {
    const failure = await work().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(BunkerError);
    expect(failure).toMatchObject({ code: "no_space" });
    expect(String(failure)).toMatch(
      new RegExp(
        `store ${name}: no space: 4294967296 MiB have to arrive, and the file system of ${data} has \\d+ MiB left$`,
      ),
    );
  }
  expect(store.list()).toEqual([]);
  // Not even the configuration has been asked for.
  expect(unfinished()).toEqual([]);
});

test("of an index all images arrive, and the name stands for this machine's", async () => {
  const { architecture } = hostPlatform();
  const manifests = [architecture, "s390x", "ppc64le"].map((other) => ({
    ...writeImage(layout, [base], { architecture: other }),
    platform: { os: "linux", architecture: other },
  }));
  writeLayout(layout, [writeJson(layout, { schemaVersion: 2, manifests }, INDEX_TYPE)]);
  await copy(reader(), "all");
  expect(store.list()).toHaveLength(3);
  expect(store.find("loaded:1").platform.architecture).toBe(architecture);
  expect(store.target(NAME)?.mediaType).toBe(INDEX_TYPE);
});

test("what is no image is kept by its name alone, also with the configuration of one", async () => {
  const signature = { ...top, mediaType: "application/vnd.dev.cosign.simplesigning.v1+json" };
  const manifest = writeImage(layout, [signature]);
  writeLayout(layout, [manifest]);
  await copy(reader());
  expect(store.list()).toEqual([]);
  expect(store.lists()).toMatchObject([{ name: NAME, target: { digest: manifest.digest } }]);
});

describe("nothing is seen of an image", () => {
  beforeEach(() =>
    writeLayout(layout, [writeImage(layout, [base, top], { architecture: hostPlatform().architecture })]),
  );

  test("that is damaged", async () => {
    const path = `${layout}/blobs/${base.diffId.replace(":", "/")}`;
    const good = readFileSync(path);
    writeFileSync(path, Buffer.from(good).fill(0, 600, 700));
    expect(await codeOf(copy(reader()))).toBe("digest_mismatch");
    expect(store.list()).toEqual([]);
    expect(blobs()).toEqual([]);
    // What was wrong is not continued.
    writeFileSync(path, good);
    await copy(reader());
    expect(store.list()).toHaveLength(1);
  });

  test("whose configuration does not tell of all of its layers", async () => {
    const { architecture } = hostPlatform();
    const manifest = writeImage(layout, [base, top], {
      architecture,
      rootfs: { type: "layers", diff_ids: [base.diffId] },
    });
    const index = writeJson(layout, { schemaVersion: 2, manifests: [manifest] }, INDEX_TYPE);
    for (const root of [manifest, index]) {
      writeLayout(layout, [root]);
      expect(await codeOf(copy(reader(), "all"))).toBe("image_invalid");
      expect({ images: store.list(), lists: store.lists() }).toEqual({ images: [], lists: [] });
      expect([...blobs(), ...unfinished()]).toEqual([]);
    }
  });

  test("that stops in the middle; the rest is fetched the next time", async () => {
    const whole = reader();
    const offsets: number[] = [];
    const cut: ImageReader = {
      ...whole,
      async *readBlob(descriptor, options) {
        offsets.push(options.offset ?? 0);
        for await (const piece of whole.readBlob(descriptor, options)) yield piece.subarray(0, piece.length >> 1);
      },
    };
    expect(await codeOf(copy(cut))).toBe("blob_truncated");
    expect(store.list()).toEqual([]);
    const resumed: number[] = [];
    await copy({
      ...whole,
      readBlob(descriptor, options) {
        resumed.push(options.offset ?? 0);
        return whole.readBlob(descriptor, options);
      },
    });
    expect(offsets.every((offset) => offset === 0)).toBe(true);
    expect(resumed.some((offset) => offset > 0)).toBe(true);
    expect(store.list()).toHaveLength(1);
    expect(unfinished()).toEqual([]);
  });

  test("whose beginning was damaged meanwhile: it is fetched again", async () => {
    const whole = reader();
    const partial = `${data}/partial/${base.diffId.replace(":", "-")}`;
    await using writer = new StoreWriter(store, NAME, { names: [NAME], repositories: [] });
    writeFileSync(partial, Buffer.alloc(1000, 0xff), { mode: 0o600 });
    truncateSync(partial, 1000);
    await copyImage(whole, writer, {
      images: [],
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
    expect(store.list()).toHaveLength(1);
  });
});

test("what another store has is copied from there", async () => {
  writeLayout(layout, [writeImage(layout, [base], { architecture: hostPlatform().architecture })]);
  const whole = reader();
  const own = mkdtempSync(join(tmpdir(), "bunker-store-"));
  try {
    using target = openImageStore(own, [layout]);
    await using writer = new StoreWriter(target, NAME, { names: [NAME], repositories: [] });
    const never: ImageReader = {
      ...whole,
      readBlob: () => {
        throw new Error("it was to be copied");
      },
    };
    await copyImage(never, writer, {
      images: [],
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
    expect(target.find("loaded:1").isReadOnly).toBe(false);
  } finally {
    rmSync(own, { recursive: true });
  }
});
