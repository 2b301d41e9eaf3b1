/* Damage, lack of space, death and company while layers are unpacked. */
import { afterAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, watch, writeFileSync } from "node:fs";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { digestOf } from "../../../../src/image/digest.ts";
import { makeImage, pack, writeBlob, writeImage, writeLayout } from "../image-builder.ts";
import { archive, header, type Member } from "../tar-builder.ts";
import { enter, type Outcome, onlyLayer, type Place, run, unpack, unpackCommand, workspace } from "./unpacked.ts";

const isRoot = process.getuid?.() === 0;
const place: Place = isRoot ? "root" : "ids";
const spaces = new DisposableStack();
afterAll(() => spaces.dispose());

function imageOf(bytes: Buffer, compression: "none" | "gzip" | "zstd") {
  const { path } = spaces.use(workspace());
  const layer = pack(bytes, compression);
  writeLayout(`${path}/image`, [writeImage(`${path}/image`, [layer])]);
  return {
    path,
    store: `${path}/store`,
    name: `oci:${path}/image`,
    blob: `${path}/image/blobs/${digestOf(layer.bytes).replace(":", "/")}`,
  };
}

const sample = archive([
  { name: "a", content: randomBytes(100_000) },
  { name: "b/", type: "5" },
  { name: "b/c", content: "end" },
]);

describe("damaged layers are refused and leave nothing", () => {
  const compressions = ["none", "gzip", "zstd"] as const;

  function expectRefusal({ error, left }: Outcome, store: string): void {
    expect(error?.code).toMatch(/^(?:layer_damaged|digest_mismatch|archive_invalid)$/);
    expect(left).toEqual([]);
    expect(readdirSync(`${store}/layers`)).toEqual([]);
  }

  test.each(compressions)("with a flipped bit, %s", (compression) => {
    const { store, name, blob } = imageOf(sample, compression);
    const good = readFileSync(blob);
    for (const at of [20, good.length >> 1, good.length - 3]) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ 0x10;
      writeFileSync(blob, bad);
      expectRefusal(unpack(place, name, store), store);
    }
    writeFileSync(blob, good);
    expect(unpack(place, name, store).error).toBeUndefined();
  });

  test.each(compressions)("cut short while it is read, %s", (compression) => {
    const { path } = spaces.use(workspace());
    // The sizes agree with each other, so that only the stream shows it.
    const { bytes, diffId, mediaType } = pack(sample, compression);
    const short = { bytes: bytes.subarray(0, bytes.length >> 1), diffId, mediaType };
    writeLayout(`${path}/image`, [writeImage(`${path}/image`, [short])]);
    expectRefusal(unpack(place, `oci:${path}/image`, `${path}/store`), `${path}/store`);
  });

  test("with another size than stated", () => {
    const { name, store, blob, path } = imageOf(sample, "gzip");
    mkdirSync(`${path}/store/tmp`, { recursive: true });
    truncateSync(blob, statSync(blob).size - 1);
    const { error } = unpack(place, name, store);
    expect(error?.code).toBe("image_invalid");
    expect(error?.message).toMatch(/it has \d+ bytes instead of \d+$/);
  });

  test("with another diff id than stated", () => {
    const { path } = spaces.use(workspace());
    const layer = { ...pack(sample, "gzip"), diffId: digestOf("another") };
    writeLayout(`${path}/image`, [writeImage(`${path}/image`, [layer])]);
    const outcome = unpack(place, `oci:${path}/image`, `${path}/store`);
    expectRefusal(outcome, `${path}/store`);
    expect(outcome.error?.message).toContain("verify the unpacked layer: its digest is sha256:");
  });

  test("compressed in a way that is not supported", () => {
    const { path } = spaces.use(workspace());
    const layer = { ...pack(sample), bytes: Buffer.from("fd377a585a000000", "hex") };
    writeLayout(`${path}/image`, [writeImage(`${path}/image`, [layer])]);
    expect(unpack(place, `oci:${path}/image`, `${path}/store`).error?.message).toContain("it is compressed with xz");
  });
});

describe("compression", () => {
  test("may come in several members or frames, under any media type", () => {
    const half = sample.length >> 1;
    const parts = [sample.subarray(0, half), sample.subarray(half)] as const;
    const { diffId } = pack(sample);
    const oci = "application/vnd.oci.image.layer.v1.tar";
    const docker = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    const skippable = Buffer.from("502a4d180400000061626364", "hex");
    const packed = [
      { mediaType: `${oci}+gzip`, bytes: Buffer.concat([gzipSync(parts[0]), gzipSync(parts[1])]) },
      { mediaType: docker, bytes: gzipSync(sample) },
      { mediaType: docker, bytes: zstdCompressSync(sample) },
      {
        mediaType: `${oci}+zstd`,
        bytes: Buffer.concat([skippable, zstdCompressSync(parts[0]), zstdCompressSync(parts[1])]),
      },
      { mediaType: `${oci}+gzip`, bytes: sample },
    ];
    for (const layer of packed) {
      const { path } = spaces.use(workspace());
      writeLayout(`${path}/image`, [writeImage(`${path}/image`, [{ ...layer, diffId }])]);
      expect(unpack(place, `oci:${path}/image`, `${path}/store`).error).toBeUndefined();
      expect(readFileSync(`${onlyLayer(`${path}/store`)}/b/c`, "utf8")).toBe("end");
    }
  });

  test.each(["gzip", "zstd"] as const)(
    "of zeros without end costs neither memory nor space, %s",
    (compression) => {
      const pieces = 128;
      const piece = Buffer.alloc(16 << 20);
      const size = pieces * piece.length;
      const compress = compression === "gzip" ? gzipSync : zstdCompressSync;
      const head = header({ name: "zeros", patch: (block) => block.write(size.toString(8).padStart(11, "0"), 124) }, 0);
      const end = Buffer.alloc(1024);
      const hasher = new Bun.CryptoHasher("sha256").update(head);
      for (let index = 0; index < pieces; index++) hasher.update(piece);
      const diffId = `sha256:${hasher.update(end).digest("hex")}` as ReturnType<typeof digestOf>;
      const packedPiece = compress(piece);
      const bytes = Buffer.concat([
        compress(head),
        ...Array.from({ length: pieces }, () => packedPiece),
        compress(end),
      ]);
      expect(bytes.length).toBeLessThan(4 << 20);

      const { path } = spaces.use(workspace());
      const mediaType = `application/vnd.oci.image.layer.v1.tar+${compression}`;
      writeLayout(`${path}/image`, [writeImage(`${path}/image`, [{ diffId, mediaType, bytes }])]);
      const { error, peakMemory } = unpack(place, `oci:${path}/image`, `${path}/store`);
      expect(error).toBeUndefined();
      expect(peakMemory).toBeLessThan(300 << 20);
      const { size: actual, blocks } = statSync(`${onlyLayer(`${path}/store`)}/zeros`);
      expect([actual, blocks]).toEqual([size, 0]);
    },
    120_000,
  );
});

describe("lack of space", () => {
  /** Unpacks the image of a workspace to a store on a file system of its own, made with these options of tmpfs. */
  function unpackOnSmallDisk(path: string, options: string): Outcome {
    mkdirSync(`${path}/store`);
    if (isRoot) run(["chown", "bunker-test:", `${path}/store`]);
    const mounted = ["sh", "-c", `mount -t tmpfs -o ${options} tmpfs "$0" && shift 0 && exec "$@"`, `${path}/store`];
    const command = unpackCommand("root", `oci:${path}/image`, `${path}/store`);
    return JSON.parse(
      run(isRoot ? ["unshare", "-m", "--", ...mounted, ...command] : enter("ids", [...mounted, ...command])),
    );
  }

  test.each(["space", "inodes"] as const)("ends in an error and leaves nothing: %s", (kind) => {
    const { path } = spaces.use(workspace());
    const members: Member[] =
      kind === "space"
        ? [{ name: "small" }, { name: "big", content: randomBytes(8 << 20) }]
        : Array.from({ length: 500 }, (_, index) => ({ name: `f${index}` }));
    makeImage(`${path}/image`, [archive([{ name: "first" }]), archive(members)]);
    const { error, left } = unpackOnSmallDisk(path, kind === "space" ? "size=4m" : "size=4m,nr_inodes=200");
    expect(error).toMatchObject({ code: "no_space", hint: expect.stringContaining("Free some space") });
    expect(error?.message).toMatch(
      kind === "space"
        ? /write "big": its file system has \d MiB left, of which layers leave 0 MiB free$/
        : /create "f\d+": ENOSPC$/,
    );
    expect(left).toEqual([]);
  });

  test.each(["gzip", "zstd"] as const)("ends what a few megabytes unpack to seven gigabytes of, %s", (compression) => {
    const compress = compression === "gzip" ? gzipSync : zstdCompressSync;
    const piece = Buffer.alloc(16 << 20, "x");
    const pieces = 448;
    const size = pieces * piece.length;
    const head = header({ name: "bomb", patch: (block) => block.write(size.toString(8).padStart(11, "0"), 124) }, 0);
    const packedPiece = compress(piece);
    const bytes = Buffer.concat([compress(head), ...Array.from({ length: pieces }, () => packedPiece)]);
    expect(bytes.length).toBeLessThan(8 << 20);
    const { path } = spaces.use(workspace());
    const mediaType = `application/vnd.oci.image.layer.v1.tar+${compression}`;
    writeLayout(`${path}/image`, [writeImage(`${path}/image`, [{ diffId: digestOf("never read"), mediaType, bytes }])]);
    const { error, left, peakMemory } = unpackOnSmallDisk(path, "size=4m");
    expect(error).toMatchObject({ code: "no_space", message: expect.stringContaining('write "bomb"') });
    expect(left).toEqual([]);
    expect(peakMemory).toBeLessThan(300 << 20);
  });
});

const many = archive(
  Array.from({ length: 3000 }, (_, index) => ({ name: `d${index % 50}/f${index}`, content: `${index}`.repeat(50) })),
);

describe("death", () => {
  test("by SIGKILL while it unpacks leaves only what the next one removes", async () => {
    const { name, store } = imageOf(many, "none");
    for (let round = 0; round < 3; round++) {
      mkdirSync(`${store}/tmp`, { recursive: true });
      if (isRoot) run(["chown", "-R", "bunker-test:", store]);
      const before = readdirSync(`${store}/tmp`);
      const process = Bun.spawn(unpackCommand(place, name, store), { stdout: "ignore" });
      // The first directory that appears is that of the layer, which it has just begun.
      await new Promise<void>((resolve) => {
        const watcher = watch(`${store}/tmp`, (_, entry) => {
          if (entry === null || entry.endsWith(".lock") || before.includes(entry)) return;
          watcher.close();
          resolve();
        });
      });
      process.kill("SIGKILL");
      await process.exited;
      expect(readdirSync(`${store}/layers`)).toEqual([]);
      expect(readdirSync(`${store}/tmp`)).not.toEqual([]);
    }
    expect(unpack(place, name, store)).toMatchObject({ left: [] });
    expect(readdirSync(onlyLayer(store))).toHaveLength(50);
  });

  const calls = [
    "mkdirat:6",
    "openat2:3",
    "pwrite64:20",
    "utimensat:30",
    "syncfs:1",
    "renameat2:1",
    "renameat2:2",
    "fsync:1",
  ];
  test.skipIf(Bun.which("strace") === null).each(calls)("at a chosen system call leaves nothing half: %s", (call) => {
    const { path } = spaces.use(workspace());
    const store = `${path}/store`;
    const members = (name: string) =>
      archive(Array.from({ length: 40 }, (_, index) => ({ name: `${name}/${index}`, content: "x" })));
    makeImage(`${path}/image`, [members("lower"), members("upper")], "gzip");
    const [number, when] = call.split(":");
    const trace = ["-f", "-qqq", "-e", `trace=${number}`, "-e", `inject=${number}:signal=KILL:when=${when}`];
    const command = unpackCommand("root", `oci:${path}/image`, store);
    const traced = ["strace", ...trace, ...command];
    const killed = Bun.spawnSync(isRoot ? traced : enter("ids", traced));
    // The process that makes files may be the only one that is killed.
    if (killed.success)
      expect(JSON.parse(killed.stdout.toString()).error.message).toContain("the process was killed by signal 9");
    for (const layer of readdirSync(`${store}/layers`)) {
      expect(
        run(enter(place, ["find", `${store}/layers/${layer}/diff`, "-type", "f", "-size", "1c"])).split("\n"),
      ).toHaveLength(41);
    }
    expect(unpack(place, `oci:${path}/image`, store)).toMatchObject({ warnings: [] });
    expect(readdirSync(`${store}/layers`)).toHaveLength(2);
    // Locks stay when all layers were visible already; whoever unpacks next removes them.
    makeImage(`${path}/next`, [members("next")]);
    expect(unpack(place, `oci:${path}/next`, store)).toMatchObject({ left: [], warnings: [] });
  });
});

describe("company", () => {
  test("of others that want the same layers is waited for", async () => {
    const { path } = spaces.use(workspace());
    const store = `${path}/store`;
    const base = archive([{ name: "base", content: randomBytes(3 << 20) }]);
    makeImage(`${path}/one`, [base, many], "gzip");
    makeImage(`${path}/two`, [base, archive([{ name: "other" }])], "gzip");
    const names = ["one", "two", "one", "two", "one", "one"].map((image) => `oci:${path}/${image}`);
    const outcomes = await Promise.all(
      names.map(async (name) => {
        const process = Bun.spawn(unpackCommand(place, name, store));
        const output = await new Response(process.stdout).text();
        return JSON.parse(output) as Outcome;
      }),
    );
    expect(outcomes.map(({ error }) => error)).toEqual(names.map(() => undefined));
    expect(readdirSync(`${store}/layers`)).toHaveLength(3);
    expect(unpack(place, names[0] ?? "", store).left).toEqual([]);
  });

  test("of foreign blobs is not confused with the store", () => {
    const { path } = spaces.use(workspace());
    const descriptor = writeBlob(`${path}/image`, "no layer", "application/vnd.oci.image.layer.v1.tar");
    expect(descriptor.size).toBe(8);
    const layer = { ...pack(Buffer.from("no layer")), bytes: Buffer.from("no layer") };
    writeLayout(`${path}/image`, [writeImage(`${path}/image`, [layer])]);
    const { error } = unpack(place, `oci:${path}/image`, `${path}/store`);
    expect(error).toMatchObject({ code: "archive_invalid", message: expect.stringContaining("it is truncated") });
  });
});
