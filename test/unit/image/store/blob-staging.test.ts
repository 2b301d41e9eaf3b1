import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
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
