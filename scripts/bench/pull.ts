/*
 * Pulling an image from a registry on loopback, unpacked and on the disk at the end, against `podman pull` and against
 * `skopeo copy` with `umoci unpack`: the same files in 1, 5 and 20 layers.
 *
 * The files are a mixture of those of this machine's /usr, always the same, up to 250 MB. Each pull fills a store of its
 * own, and all are removed at the end: ext4 makes everybody wait who creates files soon after others were deleted.
 * Besides the time that passes, the processors' time is told (of all processes), which what else the machine does
 * disturbs less.
 *
 * The shares are those of one layer, each step alone in one thread: what a pull would take if nothing overlapped.
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
import { median, table } from "./measure.ts";
import type { Workplace } from "./workplace.ts";

const IMAGE_SIZE = 250_000_000;
const LAYER_COUNTS = [1, 5, 20];

interface Contender {
  readonly name: string;
  /** Gets a store ready, outside of the measured time. */
  readonly prepare?: (store: string) => readonly string[];
  /** @param store a directory that is there and empty, or what `prepare` has made of it */
  pull(store: string): readonly (readonly string[])[];
}

interface Cost {
  /** Milliseconds that pass, and of the processors. */
  readonly elapsed: number;
  readonly processor: number;
}

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
    sections.push(`${count} ${count === 1 ? "layer" : "layers"}:`, compare(workplace, image, rounds));
    if (count === 1)
      sections.push("Steps of that layer, each alone in one thread:", await measureShares(workplace, layout));
    rmSync(layout, { recursive: true });
  }
  return sections.join("\n\n");
}

function chooseFiles(workplace: Workplace): string[] {
  // Directories that nobody may read are left out.
  const find = 'find /usr -xdev -type f -readable -printf "%s %P\\n" 2>/dev/null || true';
  const list = workplace.run("sh", "-c", find).split("\n");
  const chosen: string[] = [];
  let size = 0;
  for (const line of list.toSorted((one, other) => (Bun.hash.crc32(one) < Bun.hash.crc32(other) ? -1 : 1))) {
    const space = line.indexOf(" ");
    if (size >= IMAGE_SIZE || space < 0) continue;
    size += Number(line.slice(0, space));
    chosen.push(line.slice(space + 1));
  }
  return chosen;
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
  rmSync(tar);
  return layout;
}

function compare(workplace: Workplace, image: string, rounds: number): string {
  const contenders: readonly Contender[] = [
    {
      name: "bunker pull",
      pull: (store) => [["env", `XDG_DATA_HOME=${store}`, workplace.bunker, "pull", "-q", image]],
    },
    {
      name: "podman pull",
      prepare: (store) => ["podman", "--root", store, "info"],
      pull: (store) => [["podman", "--root", store, "pull", "-q", "--tls-verify=false", image]],
    },
    {
      name: "skopeo copy, umoci unpack",
      pull: (store) => [
        ["skopeo", "copy", "-q", "--src-tls-verify=false", `docker://${image}`, `oci:${store}/copied:bench`],
        ["umoci", "unpack", "--rootless", "--image", `${store}/copied:bench`, `${store}/bundle`],
      ],
    },
  ];
  const costs = contenders.map((): Cost[] => []);
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (turn + round + 1) % contenders.length;
      const contender = contenders[index];
      if (contender === undefined) continue;
      const store = mkdtempSync(join(workplace.directory, "home/store-"));
      if (contender.prepare !== undefined) workplace.run(...contender.prepare(store));
      const cost = measure(workplace, contender.pull(store));
      if (round >= 0) costs[index]?.push(cost);
    }
  }
  const first = costs[0] ?? [];
  const rows = contenders.map(({ name }, index) => {
    const own = costs[index] ?? [];
    const ratio = (kind: keyof Cost) =>
      median(own.map((cost, round) => cost[kind] / (first[round]?.[kind] ?? Number.NaN))).toFixed(2);
    const middle = (kind: keyof Cost) => median(own.map((cost) => cost[kind])).toFixed(0);
    return [name, middle("elapsed"), ratio("elapsed"), middle("processor"), ratio("processor")];
  });
  return table(["", "median, ms", "time, bunker = 1", "processors, ms", "processors, bunker = 1"], rows);
}

function measure(workplace: Workplace, commands: readonly (readonly string[])[]): Cost {
  const before = performance.now();
  let processor = 0;
  for (const command of commands) {
    const result = Bun.spawnSync([...command], { env: workplace.environment, stdin: "ignore", stderr: "pipe" });
    if (!result.success) throw new Error(`${command.join(" ")}: ${result.stderr}`);
    // Microseconds, of the process and of all that it has waited for.
    processor += Number(result.resourceUsage.cpuTime.total) / 1000;
  }
  return { elapsed: performance.now() - before, processor };
}

async function measureShares(workplace: Workplace, layout: string): Promise<string> {
  const { manifests } = JSON.parse(readFileSync(`${layout}/index.json`, "utf8"));
  const blobAt = (digest: string) => `${layout}/blobs/${digest.replace(":", "/")}`;
  const { layers } = JSON.parse(readFileSync(blobAt(manifests[0].digest), "utf8"));
  const path = blobAt(layers[0].digest);
  const { size } = statSync(path);
  const timed = async (work: () => Promise<void>) => {
    const before = performance.now();
    await work();
    return performance.now() - before;
  };
  const pieces: Buffer[] = [];
  const decompressing = await timed(async () => {
    await using source = await openPackedLayer({ path, offset: 0, size }, undefined);
    for await (const piece of decompress(source, "gzip")) pieces.push(Buffer.from(piece));
  });
  const hashing = await timed(async () => {
    for (const bytes of [[readFileSync(path)], pieces]) {
      const hasher = new DigestHasher("sha256");
      for (const piece of bytes) hasher.update(piece);
      hasher.finish();
    }
  });
  const directory = mkdtempSync(join(workplace.directory, "unpacked-"));
  mkdirSync(`${directory}/diff`);
  const umask = setUmask(0);
  const writing = await timed(async () => {
    using root = openDirectory(`${directory}/diff`);
    using writer = new LayerWriter(root.number, "single", () => undefined);
    const reader = new TarReader(writer);
    for (const piece of pieces) reader.feed(piece);
    reader.finish();
    writer.finish([]);
  });
  setUmask(umask);
  const synchronising = await timed(async () => {
    workplace.run("sync", "-f", directory);
  });
  rmSync(directory, { recursive: true });
  return table(
    ["", "ms"],
    [
      ["decompressing", decompressing.toFixed(0)],
      ["hashing, packed and unpacked", hashing.toFixed(0)],
      ["reading the archive and writing files", writing.toFixed(0)],
      ["syncfs", synchronising.toFixed(0)],
    ],
  );
}
