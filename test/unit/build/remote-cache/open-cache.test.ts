import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatCacheConfiguration, formatInlineRecords } from "../../../../src/build/remote-cache/cache-document.ts";
import { openCache } from "../../../../src/build/remote-cache/open-cache.ts";
import { digestOf } from "../../../../src/image/digest.ts";
import { Registries } from "../../../../src/image/registry/registries.ts";

const { signal } = new AbortController();
const [low, high] = [digestOf("low"), digestOf("high")];
const [lowId, highId] = [digestOf("low archive"), digestOf("high archive")];
const created = "2026-01-02T03:04:05.678Z";
const record = (name: string, layer: number) => ({ key: digestOf(name), layer, created });

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-remote-cache-"));
  mkdirSync(`${directory}/blobs/sha256`, { recursive: true });
  writeFileSync(`${directory}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
});
afterEach(() => rmSync(directory, { recursive: true }));

function put(content: Buffer | object, mediaType: string) {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
  const digest = digestOf(bytes);
  writeFileSync(`${directory}/blobs/${digest.replace(":", "/")}`, bytes);
  return { mediaType, digest, size: bytes.length };
}

const layers = [
  [low, lowId],
  [high, highId],
].map(([digest, diffId]) => ({
  ...{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest, size: 1 },
  annotations: { "containerd.io/uncompressed": diffId, "buildkit/createdat": created },
}));

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";

function open(root: object) {
  const entry = { ...root, annotations: { "org.opencontainers.image.ref.name": "latest" } };
  writeFileSync(`${directory}/index.json`, JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
  const source = { type: "local", directory, tag: "latest", digest: undefined } as const;
  return openCache(source, new Registries({}, () => undefined), signal);
}

function openConfiguration(bytes: Buffer, form: "manifest" | "index" = "manifest") {
  const config = put(bytes, "application/vnd.buildkit.cacheconfig.v0");
  return open(
    form === "manifest"
      ? put({ schemaVersion: 2, config, layers }, MANIFEST)
      : put({ schemaVersion: 2, manifests: [...layers, config] }, INDEX),
  );
}

const CHAIN = [
  { blob: low, parent: -1 },
  { blob: high, parent: 0 },
];

test("finds the layers of a key, whatever holds the cache together", async () => {
  const configuration = formatCacheConfiguration(CHAIN, [record("lower", 0), record("upper", 1)]);
  for (const form of ["manifest", "index"] as const) {
    const cache = await openConfiguration(configuration, form);
    expect(cache.find(digestOf("upper"))).toMatchObject([
      { diffId: lowId, created: Date.parse(created), descriptor: { digest: low } },
      { diffId: highId },
    ]);
    expect(cache.find(digestOf("lower"))).toMatchObject([{ diffId: lowId }]);
    expect(cache.find(digestOf("another"))).toBeUndefined();
  }
});

test("reads what Go leaves out", async () => {
  const text = `{"layers":[{"blob":"${low}","parent":-1},{"blob":"${high}"}],"records":[{"digest":"${low}","inputs":[[{"link":1}]],"layers":[{"layer":1,"createdAt":"2026-01-02T00:00:00Z"}]},{"digest":"${high}"}]}`;
  const cache = await openConfiguration(Buffer.from(text));
  expect(cache.find(low)).toMatchObject([{ diffId: lowId }, { diffId: highId }]);
  expect(cache.find(high)).toBeUndefined();
});

test("finds the records inside an image, and none in one without", async () => {
  const configuration = {
    rootfs: { type: "layers", diff_ids: [lowId, highId] },
    history: [{ created: "2026-01-01T00:00:00Z" }, { empty_layer: true }, { created }],
    "moby.buildkit.cache.v0": formatInlineRecords([record("upper", 1)]),
  };
  const image = (document: object) => {
    const config = put(document, "application/vnd.oci.image.config.v1+json");
    return put({ schemaVersion: 2, config, layers: layers.map(({ annotations: _, ...rest }) => rest) }, MANIFEST);
  };
  const attestation = { ...put({}, MANIFEST), platform: { os: "unknown", architecture: "unknown" } };
  const roots = [
    image(configuration),
    put({ schemaVersion: 2, manifests: [image(configuration), attestation] }, INDEX),
  ];
  for (const root of roots) {
    expect((await open(root)).find(digestOf("upper"))).toMatchObject([
      { diffId: lowId, created: Date.parse("2026-01-01T00:00:00Z") },
      { diffId: highId, created: Date.parse(created) },
    ]);
  }
  const without = await open(image({ rootfs: { type: "layers", diff_ids: [lowId, highId] } }));
  expect(without.find(digestOf("upper"))).toBeUndefined();
});

test("refuses documents that are none, and layers that lie on themselves or on nothing", async () => {
  const chains = [
    [{ blob: low, parent: 0 }],
    [
      { blob: low, parent: 1 },
      { blob: high, parent: 0 },
    ],
    [{ blob: low, parent: 7 }],
    [{ blob: digestOf("unknown"), parent: -1 }],
    [{ blob: low, parent: -2 }],
  ];
  for (const chain of chains) {
    const cache = await openConfiguration(formatCacheConfiguration(chain, [record("step", 0)]));
    expect(() => cache.find(digestOf("step"))).toThrow("is not there, or lies on itself");
  }
  for (const text of ["", "7", '{"layers":[{"blob":"x"}]}', '{"records":[{"digest":"sha256:00"}]}']) {
    await expect(openConfiguration(Buffer.from(text))).rejects.toMatchObject({ code: "image_invalid" });
  }
  const huge = { mediaType: "application/vnd.buildkit.cacheconfig.v0", digest: low, size: 2 ** 40 };
  await expect(open(put({ schemaVersion: 2, config: huge, layers }, MANIFEST))).rejects.toThrow("more than 32 MiB");
});
