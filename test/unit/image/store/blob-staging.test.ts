import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../../../src/image/digest.ts";
import { BlobStaging } from "../../../../src/image/store/blob-staging.ts";

test("a blob that another writer publishes while it is taken over is had nevertheless", async () => {
  const store = mkdtempSync(join(tmpdir(), "bunker-blob-staging-"));
  try {
    const bytes = Buffer.from("a blob");
    const blob = { mediaType: "", digest: digestOf(bytes), size: bytes.length };
    const read = async function* () {
      yield bytes;
    };
    const options = { signal: new AbortController().signal, onProgress: () => undefined };
    using one = new BlobStaging(store);
    using other = new BlobStaging(store);
    await one.receive(blob, read, options).arrival;
    // It has opened and locked what has arrived when this returns.
    const { arrival } = other.receive(blob, read, options);
    one.publish();
    await arrival;
    expect(other.read(blob.digest)).toEqual(bytes);
    other.publish();
  } finally {
    rmSync(store, { recursive: true });
  }
});

test.each<[string, () => AsyncGenerator<Buffer>, string, number[]]>([
  [
    "that is refused",
    async function* () {
      yield* [];
      throw new Error("refused");
    },
    "refused",
    [],
  ],
  [
    "with other bytes than its digest says",
    async function* () {
      yield Buffer.from("a club");
    },
    "its digest is sha256:",
    [],
  ],
  [
    "with more bytes than were said",
    async function* () {
      yield Buffer.from("a blob and more");
    },
    "more than its 6 bytes arrive",
    [],
  ],
  [
    "that ends early, whose beginning is kept",
    async function* () {
      yield Buffer.from("a b");
    },
    "it ends after 3 of 6 bytes",
    [3],
  ],
])("of a blob %s nothing is left that is of no use", async (_, read, message, left) => {
  const store = mkdtempSync(join(tmpdir(), "bunker-blob-staging-"));
  try {
    const blob = { mediaType: "", digest: digestOf(Buffer.from("a blob")), size: 6 };
    const options = { signal: new AbortController().signal, onProgress: () => undefined };
    {
      using staging = new BlobStaging(store);
      await expect(staging.receive(blob, read, options).arrival).rejects.toThrow(message);
    }
    expect(readdirSync(`${store}/tmp`)).toEqual([]);
    const sizes = readdirSync(`${store}/partial`).map((name) => statSync(`${store}/partial/${name}`).size);
    expect(sizes).toEqual(left);
  } finally {
    rmSync(store, { recursive: true });
  }
});

test.each([true, false])(
  "the memory of pieces that are owned is given back, and of no others: %p",
  async (ownsPieces) => {
    const store = mkdtempSync(join(tmpdir(), "bunker-blob-staging-"));
    try {
      const bytes = Buffer.from(new ArrayBuffer(100_000)).fill("a blob");
      const blob = { mediaType: "", digest: digestOf(bytes), size: bytes.length };
      const whole = Buffer.from(new ArrayBuffer(60_000));
      bytes.copy(whole);
      const part = bytes.subarray(60_000);
      const read = async function* () {
        yield whole;
        yield part;
      };
      const options = { signal: new AbortController().signal, onProgress: () => undefined, ownsPieces };
      using staging = new BlobStaging(store);
      await staging.receive(blob, read, options).arrival;
      expect([whole.length, part.length]).toEqual([ownsPieces ? 0 : 60_000, 40_000]);
      expect(staging.read(blob.digest)).toEqual(bytes);
    } finally {
      rmSync(store, { recursive: true });
    }
  },
);

test("what another writer is receiving, or has just received, is not discarded with a bad image", async () => {
  const store = mkdtempSync(join(tmpdir(), "bunker-blob-staging-"));
  try {
    const bytes = Buffer.from("a blob");
    const blob = { mediaType: "", digest: digestOf(bytes), size: bytes.length };
    const options = { signal: new AbortController().signal, onProgress: () => undefined };
    const partial = `${store}/partial/${blob.digest.replace(":", "-")}`;
    for (const isArrived of [false, true]) {
      const rest = Promise.withResolvers<void>();
      const asked = Promise.withResolvers<void>();
      using one = new BlobStaging(store);
      using other = new BlobStaging(store);
      const club = async function* () {
        yield Buffer.from("a b");
        throw new Error("refused");
      };
      await expect(one.receive(blob, club, options).arrival).rejects.toThrow("refused");
      const { arrival } = other.receive(
        blob,
        async function* (offset) {
          asked.resolve();
          yield bytes.subarray(offset, 4);
          await rest.promise;
          yield bytes.subarray(4);
        },
        options,
      );
      await asked.promise;
      if (isArrived) {
        rest.resolve();
        await arrival;
      }
      one.discard(false);
      // The lock tells of the one who is at it; what has arrived has another name already.
      expect(existsSync(partial)).toBe(!isArrived);
      rest.resolve();
      await arrival;
      expect(other.read(blob.digest)).toEqual(bytes);
      other.publish();
      expect(existsSync(partial)).toBe(false);
      rmSync(`${store}/blobs/${blob.digest.replace(":", "/")}`);
    }
  } finally {
    rmSync(store, { recursive: true });
  }
});
