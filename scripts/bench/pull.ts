/*
 * Pulling an image from a registry on loopback, unpacked and on the disk at the end, against `podman pull` and against
 * `skopeo copy` with `umoci unpack`, which leave that to the kernel's leisure: the same files in 1, 5 and 20 layers.
 *
 * The files are a mixture of those of this machine's /usr, none above 20 MB, 100 MB together, sorted by path, so that a
 * directory lies in one layer or a few, as those of a package do. Each pull fills a store of its own, and all are removed
 * at the end: ext4 makes everybody wait who creates files soon after others were deleted.
 *
 * The shares are those of one layer, each step alone in one thread: what a pull would take if nothing overlapped. None
 * can be faster than its slowest.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DigestHasher } from "../../src/image/digest.ts";
import { decompress } from "../../src/image/layers/decompress.ts";
import { openPackedLayer } from "../../src/image/layers/layer-stream.ts";
import { LayerWriter } from "../../src/image/layers/layer-writer.ts";
import { openDirectory } from "../../src/image/layers/store-lock.ts";
import { TarReader } from "../../src/image/tar/tar-reader.ts";
import { setUmask } from "../../src/sys/file.ts";
import { DockerRegistry } from "../../test/docker-registry.ts";
import { type CommandContender, compareCosts } from "./command-costs.ts";
import { table } from "./measure.ts";
import type { Workplace } from "./workplace.ts";

const IMAGE_SIZE = 100_000_000;
const LAYER_COUNTS = [1, 5, 20];

/** Measures, and returns tables in Markdown. */
export async function measurePull(workplace: Workplace, rounds: number): Promise<string> {
  await using registry = await DockerRegistry.start();
  workplace.configurePodman();
  const files = chooseFiles(workplace);
  const sections: string[] = [];
  for (const count of LAYER_COUNTS) {
    const layout = makeImage(workplace, files, count);
    const image = `${registry.host}/bench:${count}`;
    workplace.run("skopeo", "copy", "-q", "--dest-tls-verify=false", `oci:${layout}:bench`, `docker://${image}`);
    const compared = compareCosts(workplace, contenders(workplace, image), rounds);
    sections.push(`${count} ${count === 1 ? "layer" : "layers"}:`, compared.table);
    if (count === 1) sections.push(await describeShares(workplace, layout, `http://${registry.host}`, compared.first));
  }
  return sections.join("\n\n");
}

function chooseFiles(workplace: Workplace): string[] {
  // Directories that nobody may read are left out.
  const find = 'find /usr -xdev -type f -readable -size -20M -printf "%s %P\\n" 2>/dev/null || true';
  const list = workplace.run("sh", "-c", find).split("\n");
  const chosen: string[] = [];
  let size = 0;
  for (const line of list.toSorted((one, other) => (Bun.hash.crc32(one) < Bun.hash.crc32(other) ? -1 : 1))) {
    const space = line.indexOf(" ");
    if (size >= IMAGE_SIZE || space < 0) continue;
    size += Number(line.slice(0, space));
    chosen.push(line.slice(space + 1));
  }
  return chosen.toSorted();
}

/** Makes an image whose layers have equal shares of the files; returns its layout. */
function makeImage(workplace: Workplace, files: readonly string[], count: number): string {
  const layout = join(workplace.directory, `pull-${count}`);
  workplace.run("umoci", "init", "--layout", layout);
  workplace.run("umoci", "new", "--image", `${layout}:bench`);
  const share = Math.ceil(files.length / count);
  const [list, tar] = [join(workplace.directory, "files"), join(workplace.directory, "layer.tar")];
  for (let layer = 0; layer < count; layer++) {
    writeFileSync(list, files.slice(layer * share, (layer + 1) * share).join("\n"));
    workplace.run("tar", "-C", "/usr", "--numeric-owner", "--owner=0", "--group=0", "-cf", tar, "-T", list);
    workplace.run("umoci", "raw", "add-layer", "--image", `${layout}:bench`, tar);
  }
  return layout;
}

function contenders(workplace: Workplace, image: string): readonly CommandContender[] {
  const stores = join(workplace.directory, "home");
  let store = "";
  const prepare = () => {
    store = mkdtempSync(`${stores}/store-`);
  };
  return [
    {
      name: "bunker pull",
      prepare,
      commands: () => [["env", `XDG_DATA_HOME=${store}`, workplace.bunker, "pull", "-q", image]],
    },
    {
      name: "podman pull",
      prepare: () => {
        prepare();
        workplace.run("podman", "--root", store, "info");
      },
      commands: () => [["podman", "--root", store, "pull", "-q", "--tls-verify=false", image]],
    },
    {
      name: "skopeo copy, umoci unpack",
      prepare,
      commands: () => [
        ["skopeo", "copy", "-q", "--src-tls-verify=false", `docker://${image}`, `oci:${store}/copied:bench`],
        ["umoci", "unpack", "--rootless", "--image", `${store}/copied:bench`, `${store}/bundle`],
      ],
    },
  ];
}

async function describeShares(workplace: Workplace, layout: string, registry: string, pull: number): Promise<string> {
  const { manifests } = JSON.parse(readFileSync(`${layout}/index.json`, "utf8"));
  const blobAt = (digest: string) => `${layout}/blobs/${digest.replace(":", "/")}`;
  const { layers } = JSON.parse(readFileSync(blobAt(manifests[0].digest), "utf8"));
  const { digest } = layers[0];
  const path = blobAt(digest);
  const { size } = statSync(path);
  const steps: [name: string, milliseconds: number][] = [];
  const time = async (name: string, work: () => Promise<void>) => {
    const before = performance.now();
    await work();
    steps.push([name, performance.now() - before]);
  };
  await time("receiving", async () => {
    const { body } = await fetch(`${registry}/v2/bench/blobs/${digest}`, { decompress: false });
    let received = 0;
    for await (const piece of body ?? []) received += piece.length;
    if (received !== size) throw new Error(`received ${received} bytes instead of ${size}`);
  });
  const pieces: Buffer[] = [];
  await time("decompressing", async () => {
    await using source = await openPackedLayer({ path, offset: 0, size }, undefined);
    for await (const piece of decompress(source, "gzip")) pieces.push(Buffer.from(piece));
  });
  const packed = readFileSync(path);
  await time("hashing, packed and unpacked", async () => {
    for (const bytes of [[packed], pieces]) {
      const hasher = new DigestHasher("sha256");
      for (const piece of bytes) hasher.update(piece);
      hasher.finish();
    }
  });
  await time("reading the archive", async () => {
    const reader = new TarReader({ entry: () => undefined, data: () => undefined, end: () => undefined });
    for (const piece of pieces) reader.feed(piece);
    reader.finish();
  });
  const directory = mkdtempSync(join(workplace.directory, "unpacked-"));
  mkdirSync(`${directory}/diff`);
  workplace.run("sync");
  const umask = setUmask(0);
  await time("reading it and making files, system calls above all", async () => {
    using root = openDirectory(`${directory}/diff`);
    using writer = new LayerWriter(root.number, "single", () => undefined);
    const reader = new TarReader(writer);
    for (const piece of pieces) reader.feed(piece);
    reader.finish();
    writer.finish([]);
  });
  setUmask(umask);
  await time("what is left of bringing them to the disk", async () => void workplace.run("sync", "-f", directory));
  rmSync(directory, { recursive: true });
  const [slowest] = steps.toSorted(([, one], [, other]) => other - one);
  const rows = steps.map(([name, milliseconds]) => [name, milliseconds.toFixed(0)]);
  const ratio = (pull / (slowest?.[1] ?? Number.NaN)).toFixed(2);
  return [
    "Steps of that layer, each alone in one thread:",
    table(["", "ms"], rows),
    `The whole pull takes ${ratio} times as long as the slowest of them.`,
  ].join("\n\n");
}
