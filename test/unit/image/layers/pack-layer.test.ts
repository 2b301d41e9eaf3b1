import { expect, test } from "bun:test";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { digestOf } from "../../../../src/image/digest.ts";
import { packLayer } from "../../../../src/image/layers/pack-layer.ts";

/** Bytes that compress well in places. */
function content(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at++) bytes[at] = at % 3 === 0 ? 0 : (at * at) >> 7;
  return bytes;
}

function* cut(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function pack(bytes: Buffer, compression: "none" | "gzip" | "zstd", piece: number) {
  const written: Buffer[] = [];
  const layer = await packLayer(cut(bytes, piece), compression, async (part) => {
    written.push(part);
  });
  return { layer, packed: Buffer.concat(written) };
}

test.each([
  ["none", (bytes: Buffer) => bytes, "application/vnd.oci.image.layer.v1.tar"],
  ["gzip", gunzipSync, "application/vnd.oci.image.layer.v1.tar+gzip"],
  ["zstd", zstdDecompressSync, "application/vnd.oci.image.layer.v1.tar+zstd"],
] as const)("%s", async (compression, unpack, mediaType) => {
  for (const size of [0, 1, 512, (1 << 20) - 1, 1 << 20, 5_000_000]) {
    const bytes = content(size);
    const { layer, packed } = await pack(bytes, compression, 100_000);
    expect(Buffer.from(unpack(packed)).equals(bytes)).toBe(true);
    expect(layer).toEqual({ mediaType, digest: digestOf(packed), size: packed.length, diffId: digestOf(bytes) });
  }
});

test("the packed bytes do not depend on how the archive came", async () => {
  const bytes = content(3_000_000);
  for (const compression of ["gzip", "zstd"] as const) {
    const [one, other] = [await pack(bytes, compression, 777_777), await pack(bytes, compression, 777_777)];
    expect(one.packed.equals(other.packed)).toBe(true);
  }
  const [small, large] = [await pack(bytes, "gzip", 511), await pack(bytes, "gzip", 3_000_000)];
  expect(small.packed.equals(large.packed)).toBe(true);
});

test("a failure of either side comes through", async () => {
  const failing = function* () {
    yield content(4_000_000);
    throw new Error("unreadable");
  };
  for (const compression of ["none", "gzip", "zstd"] as const) {
    expect(packLayer(failing(), compression, async () => {})).rejects.toThrow("unreadable");
    const full = async () => {
      throw new Error("full");
    };
    expect(packLayer(cut(content(4_000_000), 1 << 20), compression, full)).rejects.toThrow("full");
  }
});
