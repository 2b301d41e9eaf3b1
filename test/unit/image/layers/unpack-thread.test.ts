/* Layers that are large enough to be unpacked on another thread, and that thread itself. */
import { afterAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { gzipSync } from "node:zlib";
import { digestOf } from "../../../../src/image/digest.ts";
import type { PackedSource } from "../../../../src/image/layers/decompress.ts";
import { openDirectory } from "../../../../src/image/layers/store-lock.ts";
import { UnpackThread } from "../../../../src/image/layers/unpack-thread.ts";
import { callersIdMap } from "../../../../src/runtime/id-map/callers-id-map.ts";
import { outerId } from "../../../../src/runtime/id-map/id-mapping.ts";
import { presentIdMap } from "../../../../src/runtime/id-map/present-id-map.ts";
import { isPrivileged } from "../../../../src/runtime/id-map/write-id-map.ts";
import { beginRootNamespace, type RootNamespace } from "../../../../src/runtime/root-namespace.ts";
import { makeImage } from "../image-builder.ts";
import { archive, type Member } from "../tar-builder.ts";
import { list, places, run, unpack, workspace } from "./unpacked.ts";

const spaces = new DisposableStack();
afterAll(() => spaces.dispose());

const bytes = randomBytes(3_000_000);
const upper: readonly Member[] = [
  { name: "d/in", content: "x", uid: 5 },
  { name: "d/.wh.gone" },
  { name: "large", content: bytes, mode: 0o640 },
  { name: "s", type: "2", linkName: "large", pax: { "SCHILY.xattr.user.overlay.opaque": "y" } },
];

function image(members: readonly Member[], compression: "gzip" | "zstd" | "none") {
  const { path } = spaces.use(workspace());
  const lower = archive([
    { name: "d/", type: "5", mode: 0o1750 },
    { name: "d/gone", content: "" },
  ]);
  makeImage(`${path}/image`, [lower, archive(members)], compression);
  return { name: `oci:${path}/image`, store: `${path}/store`, blobs: `${path}/image/blobs/sha256` };
}

describe.each([...places])("in place %s", (place) => {
  test.each(["gzip", "zstd", "none"] as const)("all layers of a large image arrive, %s", (compression) => {
    const { name, store } = image(upper, compression);
    const { error, warnings, left } = unpack(place, name, store);
    expect({ error, left }).toEqual({ error: undefined, left: [] });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('attribute user.overlay.opaque is reserved for the union mount: "s"');
    const layers = readdirSync(`${store}/layers`).map((layer) => `${store}/layers/${layer}`);
    const sizes = layers.map((layer) => readFileSync(`${layer}/size`, "utf8"));
    expect(sizes.toSorted()).toEqual(["0", String(bytes.length + 1)]);
    const layer = `${layers[sizes.indexOf(String(bytes.length + 1))]}/diff`;
    // The directory without an entry is like the one below.
    expect(list(place, layer, "%y %m %s").filter((line) => !line.startsWith("d|"))).toEqual([
      "d/gone|c 0 0",
      "d/in|f 644 1",
      `large|f 640 ${bytes.length}`,
      "s|l 777 5",
    ]);
    expect(list(place, layer, "%y %m").find((line) => line.startsWith("d|"))).toBe("d|d 1750");
    expect(run(["sha256sum", `${layer}/large`]).slice(0, 64)).toBe(digestOf(bytes).slice("sha256:".length));
  });
});

const place = process.getuid?.() === 0 ? "root" : "ids";

test("a hostile entry behind much data is refused, and nothing is left", () => {
  const { name, store } = image([...upper, { name: "h", type: "1", linkName: "../../etc/passwd" }], "gzip");
  const { error, left } = unpack(place, name, store);
  expect(error?.code).toBe("layer_refused");
  expect(error?.message).toContain("h");
  expect([left, readdirSync(`${store}/layers`)]).toEqual([[], []]);
});

test("damage behind much data is found, and nothing is left", () => {
  const { name, store, blobs } = image(upper, "gzip");
  for (const blob of readdirSync(blobs)) {
    const content = readFileSync(`${blobs}/${blob}`);
    if (content.length < bytes.length) continue;
    content[2_500_000] = (content[2_500_000] ?? 0) ^ 1;
    writeFileSync(`${blobs}/${blob}`, content);
  }
  const { error, left } = unpack(place, name, store);
  expect(error?.code).toMatch(/^(?:layer_damaged|digest_mismatch|archive_invalid)$/);
  expect([left, readdirSync(`${store}/layers`)]).toEqual([[], []]);
});

describe("the thread", () => {
  const packed = gzipSync(archive(upper));
  const diffId = digestOf(archive(upper));

  function begin(root?: RootNamespace) {
    const directory = mkdtempSync(`${tmpdir()}/bunker-thread-`);
    const resources = new DisposableStack();
    resources.defer(() => rmSync(directory, { recursive: true }));
    const thread = resources.use(new UnpackThread());
    const open = (name: string) => {
      mkdirSync(`${directory}/${name}`);
      const content = resources.use(openDirectory(`${directory}/${name}`));
      return thread.unpacker({
        content: content.number,
        mapping: root === undefined ? "single" : "full",
        diffId,
        root,
      });
    };
    return { directory, open, [Symbol.dispose]: () => resources.dispose() };
  }

  /** Gives the packed bytes in pieces, and then what `end` does. */
  function source(length: number, end: () => Promise<number>): PackedSource {
    let position = 0;
    return {
      read: async (buffer) => {
        const copied = packed.copy(buffer, 0, position, Math.min(length, position + 70_001));
        position += copied;
        return copied > 0 ? copied : end();
      },
    };
  }

  const never = new AbortController().signal;

  test("hands on what the source fails with, and goes on with other layers", async () => {
    using place = begin();
    const failure = new Error("the line is dead");
    const broken = place.open("broken").unpack(
      source(1_000_000, () => Promise.reject(failure)),
      never,
    );
    expect(await broken.catch((cause: unknown) => cause)).toBe(failure);
    const whole = place.open("whole").unpack(
      source(packed.length, async () => 0),
      never,
    );
    expect(await whole).toBeUndefined();
    expect(readdirSync(`${place.directory}/whole`).toSorted()).toEqual(["d", "large", "s"]);
  });

  test("stops with the reason of the signal, also while it waits for bytes", async () => {
    using place = begin();
    const controller = new AbortController();
    const reason = new Error("enough");
    const stopped = place.open("stopped").unpack(
      source(1_000_000, async () => {
        controller.abort(reason);
        throw reason;
      }),
      controller.signal,
    );
    expect(await stopped.catch((cause: unknown) => cause)).toBe(reason);
  });

  test("makes files as root of a user namespace", async () => {
    const map = isPrivileged() ? presentIdMap() : callersIdMap();
    using namespace = beginRootNamespace(map);
    using place = begin(namespace.finish());
    const layer = place.open("rooted");
    await layer.unpack(
      source(packed.length, async () => 0),
      never,
    );
    expect((await layer.finish([])).size).toBe(bytes.length + 1);
    expect(statSync(`${place.directory}/rooted/d/in`).uid).toBe(outerId(map.uidMappings, 5) ?? -1);
  });

  test("says what is wrong with the bytes", async () => {
    using place = begin();
    const short = place.open("short").unpack(
      source(1_000_000, async () => 0),
      never,
    );
    expect(await short.catch((cause: unknown) => cause)).toMatchObject({ name: "BunkerError", code: "layer_damaged" });
  });
});
