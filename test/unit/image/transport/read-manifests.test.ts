import { describe, expect, test } from "bun:test";
import { digestOf } from "../../../../src/image/digest.ts";
import { parseDocument } from "../../../../src/image/documents.ts";
import { parsePlatform } from "../../../../src/image/platform.ts";
import { readAllManifests, readManifestFor, readRoot } from "../../../../src/image/transport/read-manifests.ts";
import type { ImageReader, Manifest } from "../../../../src/image/transport/transport.ts";
import { INDEX_TYPE, MANIFEST_TYPE } from "../image-builder.ts";

/** A source of documents that name each other, in which each has its digest unless it is given another. */
function source() {
  const known = new Map<string, Manifest>();
  const asked: string[] = [];
  const add = (mediaType: string, value: object): Manifest => {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...value }));
    const manifest = { mediaType, digest: digestOf(bytes), bytes };
    known.set(manifest.digest, manifest);
    return manifest;
  };
  const describe = ({ mediaType, digest, bytes }: Manifest, architecture?: string) => ({
    mediaType,
    digest,
    size: bytes.length,
    ...(architecture === undefined ? {} : { platform: { os: "linux", architecture } }),
  });
  const image = (author: string) => add(MANIFEST_TYPE, { annotations: { author } });
  const index = (...manifests: readonly object[]) => add(INDEX_TYPE, { manifests });
  const read = (root: Manifest): ImageReader => ({
    name: "source",
    async readManifest(descriptor) {
      const found = descriptor === undefined ? root : known.get(descriptor.digest);
      if (found === undefined) throw new Error("asked for what nothing names");
      asked.push(found.digest);
      return found;
    },
    async *readBlob() {},
    async [Symbol.asyncDispose]() {},
  });
  return { known, asked, describe, image, index, read };
}

test("of nested indexes the platform's image is read, or everything, what is named first", async () => {
  const { asked, describe, image, index, read } = source();
  const [amd64, arm64, shared] = [image("amd64"), image("arm64"), image("riscv64")];
  const inner = index(describe(amd64, "amd64"), describe(shared, "riscv64"));
  const root = index(describe(inner), describe(arm64, "arm64"), describe(shared, "riscv64"), describe(inner));
  const reader = read(root);
  expect(await readRoot(reader)).toEqual(root);
  for (const [architecture, wanted] of [
    ["amd64", amd64],
    ["arm64", arm64],
  ] as const) {
    expect(await readManifestFor(reader, root, parsePlatform(`linux/${architecture}`))).toEqual(wanted);
  }
  asked.length = 0;
  expect(await readAllManifests(reader, root)).toEqual([amd64, shared, inner, arm64, root]);
  expect(asked.toSorted()).toEqual([amd64, shared, inner, arm64].map(({ digest }) => digest).toSorted());
});

test("indexes that name each other a thousand times are read once", async () => {
  const { asked, describe, image, index, read } = source();
  const only = image("s390x");
  let root = index(...new Array(1000).fill(describe(only, "s390x")));
  for (let depth = 0; depth < 4; depth++) root = index(...new Array(1000).fill(describe(root)));
  expect(await readManifestFor(read(root), root, parsePlatform("linux/s390x"))).toEqual(only);
  await expect(readManifestFor(read(root), root, parsePlatform("linux/mips"))).rejects.toMatchObject({
    code: "platform_mismatch",
  });
  expect(await readAllManifests(read(root), root)).toHaveLength(6);
  expect(asked).toHaveLength(4 + 1 + 4 + 4 + 1);
});

test("an index's only image is not taken for another machine's, or where none is wanted, for this one's", async () => {
  const { describe, image, index, read } = source();
  const only = image("s390x");
  for (const inner of [describe(only, "s390x"), describe(index(describe(only, "s390x")))]) {
    const root = index(inner);
    const reader = read(root);
    expect(await readManifestFor(reader, root, parsePlatform("linux/s390x"))).toEqual(only);
    for (const wanted of [undefined, parsePlatform("linux/riscv64")]) {
      await expect(readManifestFor(reader, root, wanted)).rejects.toThrow(
        /^choose the image for a platform from source: it has none for linux\/\w+, only for linux\/s390x$/,
      );
    }
    expect(await readAllManifests(reader, root)).toContainEqual(only);
  }
  // What says nothing of its platform may be for any.
  const unknown = index(describe(only));
  expect(await readManifestFor(read(unknown), unknown, undefined)).toEqual(only);
});

test("a manifest alone is for every platform", async () => {
  const { image, read } = source();
  const root = image("alone");
  expect(await readManifestFor(read(root), root, parsePlatform("linux/arm64"))).toEqual(root);
  expect(await readAllManifests(read(root), root)).toEqual([root]);
});

test("a document that could be taken for an image and for an index is refused as both", () => {
  const descriptor = { mediaType: MANIFEST_TYPE, digest: digestOf("x"), size: 1 };
  const both = { schemaVersion: 2, config: descriptor, layers: [descriptor], manifests: [descriptor] };
  const parse = (kind: "index" | "manifest", value: object) => () =>
    parseDocument(kind, Buffer.from(JSON.stringify(value)), "it");
  expect(parse("index", both)).toThrow("read it: config: an index has none; it could be taken for either kind");
  expect(parse("index", { ...both, config: undefined })).toThrow("read it: layers: an index has none");
  expect(parse("manifest", both)).toThrow("read it: manifests: a manifest has none");
  // Go writes lists that are empty.
  expect(parse("index", { ...both, config: null, layers: [] })).not.toThrow();
  expect(parse("manifest", { ...both, manifests: [] })).not.toThrow();
});

describe("both ways refuse", () => {
  const ways = [
    ["of one platform", (reader: ImageReader, root: Manifest) => readManifestFor(reader, root, undefined)],
    ["all", readAllManifests],
  ] as const;

  test.each(ways)("indexes that are nested too deep, %s", async (_, way) => {
    const { describe, image, index, read } = source();
    let root = index(describe(image("deep")));
    for (let depth = 0; depth < 4; depth++) root = index(describe(root));
    expect(await way(read(root), root)).toBeDefined();
    root = index(describe(root));
    await expect(way(read(root), root)).rejects.toMatchObject({
      code: "image_invalid",
      message: expect.stringContaining("source: its indexes are nested more than 4 deep"),
    });
  });

  test.each(ways)("more than can be kept, %s", async (_, way) => {
    const { describe, image, index, read } = source();
    const filler = "x".repeat(3 << 20);
    const members = Array.from({ length: 24 }, (_, place) =>
      index({ ...describe(image(String(place))), annotations: { filler, place: String(place) } }),
    );
    const some = index(...members.slice(0, 12).map((member) => describe(member)));
    expect(
      await way(read(some), some).then(
        () => "there",
        ({ code }) => code,
      ),
    ).not.toBe("image_invalid");
    const root = index(...members.map((member) => describe(member)));
    await expect(way(read(root), root)).rejects.toMatchObject({
      code: "image_invalid",
      message: expect.stringContaining("its manifests have more than 64 MiB together"),
    });
  });

  test.each(ways)("what has another digest than it is named by, %s", async (_, way) => {
    for (const kind of ["image", "index"] as const) {
      const { known, describe, image, index, read } = source();
      const named = kind === "image" ? image("named") : index(describe(image("named")));
      const root = index(describe(named));
      known.set(named.digest, { ...named, bytes: Buffer.concat([named.bytes, Buffer.from(" ")]) });
      await expect(way(read(root), root)).rejects.toMatchObject({
        code: "digest_mismatch",
        message: expect.stringContaining("the manifest of source"),
      });
    }
  });
});
