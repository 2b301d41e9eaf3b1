/*
 * Pulling an image from a registry on loopback, unpacked and on the disk at the end, against `podman pull` and against
 * `skopeo copy` with `umoci unpack`, which leave that to the kernel's leisure: the same files in 1, 5 and 20 layers. GNU
 * tar unpacks the same archives beside them, which are at hand, not packed and not verified, and brings the files to the
 * disk: no pull can be faster than that with one processor.
 *
 * The files are a mixture of those of this machine's /usr, none above 20 MB, 100 MB together, sorted by path, so that a
 * directory lies in one layer or a few, as those of a package do. Each pull fills a store of its own, whose database has
 * been made. On the disk all stores are removed at the end: ext4 makes everybody wait who creates files within five
 * minutes after others were deleted, up to six times as long. With a cold page cache the programs and the registry's
 * files have to be read from the disk.
 *
 * The steps are those of one layer, each alone: their time is what a pull would take if nothing overlapped, and none can
 * be faster than the slowest; their processors' time beside the pull's says what goes into the work itself.
 */
import { mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DigestHasher } from "../../src/image/digest.ts";
import { decompress } from "../../src/image/layers/decompress.ts";
import { openPackedLayer } from "../../src/image/layers/layer-stream.ts";
import { LayerWriter } from "../../src/image/layers/layer-writer.ts";
import { openDirectory } from "../../src/image/layers/store-lock.ts";
import { TarReader } from "../../src/image/tar/tar-reader.ts";
import { setUmask } from "../../src/sys/file.ts";
import { DockerRegistry } from "../../test/docker-registry.ts";
import { type CommandContender, type Cost, compareCosts } from "./command-costs.ts";
import { table } from "./measure.ts";
import type { Workplace } from "./workplace.ts";

const IMAGE_SIZE = 100_000_000;
const LAYER_COUNTS = [1, 5, 20];
const READING = "reading the archive";

/** A place for stores. */
interface Place {
  readonly directory: string;
  /** Whether what was measured is removed at once. */
  readonly isSmall: boolean;
}

/** What a part of a pull takes when nothing else is done; milliseconds. */
interface Step {
  readonly name: string;
  readonly elapsed: number;
  readonly processor: number;
}

/** An image in a registry, and what was put there. */
interface BenchImage {
  readonly name: string;
  readonly layout: string;
  /** The archives of its layers. */
  readonly archives: readonly string[];
}

/** Measures; tables in Markdown. */
export async function* measurePull(workplace: Workplace, rounds: number): AsyncGenerator<string, void> {
  await using registry = await DockerRegistry.start();
  workplace.configurePodman();
  const files = chooseFiles(workplace);
  const images = LAYER_COUNTS.map((count) => makeImage(workplace, files, count, registry.host));
  const memory = mkdtempSync("/dev/shm/bunker-bench-");
  try {
    const places = [
      { directory: join(workplace.directory, "home"), isSmall: false },
      { directory: memory, isSmall: true },
    ];
    let measureCold: (() => string) | undefined;
    for (const [index, place] of places.entries()) {
      const type = workplace
        .run("findmnt", "--noheadings", "--output", "FSTYPE", "--first-only", "--target", place.directory)
        .trim();
      for (const image of images) {
        const all = contenders(workplace, image, place);
        const compared = compareCosts(workplace, all, rounds);
        const { length } = image.archives;
        const title = `${length} ${length === 1 ? "layer" : "layers"}, ${type}`;
        yield `${title}:\n\n${compared.table}`;
        if (length !== 1) continue;
        yield describeSteps(workplace, image, place, registry.host, compared.first);
        if (index > 0) continue;
        const cold = all.slice(0, 2).map((contender) => withColdCache(workplace, contender, registry.directory));
        measureCold = () => `${title}, cold page cache:\n\n${compareCosts(workplace, cold, rounds).table}`;
      }
    }
    // What has been read from the disk again is cached in smaller pages than what was built just now.
    if (measureCold !== undefined) yield measureCold();
  } finally {
    removeAsRoot(workplace, memory);
  }
}

/** The same with everything out of the page cache that is read from the disk. */
function withColdCache(workplace: Workplace, contender: CommandContender, registry: string): CommandContender {
  const programs = [workplace.bunker, ...["podman", "newuidmap", "newgidmap"].map((name) => Bun.which(name) ?? name)];
  return {
    ...contender,
    prepare: (round) => {
      contender.prepare?.(round);
      const stored = workplace.run("find", registry, "-type", "f", "-name", "data").trim().split("\n");
      // What has not been written yet stays in the cache.
      workplace.run("sync");
      for (const file of [...programs, ...stored]) {
        workplace.run("dd", `if=${file}`, "iflag=nocache", "count=0", "status=none");
      }
    },
  };
}

/** Removes a directory whose files may belong to subordinate ids. */
function removeAsRoot(workplace: Workplace, path: string): void {
  workplace.run("unshare", "--user", "--map-root-user", "--map-auto", "--", "rm", "-rf", path);
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

/** Makes an image whose layers have equal shares of the files, and puts it into the registry. */
function makeImage(workplace: Workplace, files: readonly string[], count: number, registry: string): BenchImage {
  const layout = join(workplace.directory, `pull-${count}`);
  workplace.run("umoci", "init", "--layout", layout);
  workplace.run("umoci", "new", "--image", `${layout}:bench`);
  const share = Math.ceil(files.length / count);
  const list = join(workplace.directory, "files");
  const archives = Array.from({ length: count }, (_, layer) => {
    const archive = `${layout}-${layer}.tar`;
    writeFileSync(list, files.slice(layer * share, (layer + 1) * share).join("\n"));
    workplace.run("tar", "-C", "/usr", "--numeric-owner", "--owner=0", "--group=0", "-cf", archive, "-T", list);
    workplace.run("umoci", "raw", "add-layer", "--image", `${layout}:bench`, archive);
    return archive;
  });
  const name = `${registry}/bench:${count}`;
  workplace.run("skopeo", "copy", "-q", "--dest-tls-verify=false", `oci:${layout}:bench`, `docker://${name}`);
  return { name, layout, archives };
}

function contenders(workplace: Workplace, image: BenchImage, place: Place): readonly CommandContender[] {
  const { name, archives } = image;
  let store = "";
  const makeStore = () => {
    store = mkdtempSync(`${place.directory}/store-`);
  };
  const contend = (
    title: string,
    commands: () => readonly (readonly string[])[],
    prepare = makeStore,
  ): CommandContender => ({
    name: title,
    prepare,
    commands,
    ...(place.isSmall ? { clean: () => removeAsRoot(workplace, store) } : {}),
  });
  return [
    contend(
      "bunker pull",
      () => [["env", `XDG_DATA_HOME=${store}`, workplace.bunker, "pull", "-q", name]],
      () => {
        makeStore();
        workplace.run("env", `XDG_DATA_HOME=${store}`, workplace.bunker, "images");
      },
    ),
    contend(
      "podman pull",
      () => [["podman", "--root", store, "pull", "-q", "--tls-verify=false", name]],
      () => {
        makeStore();
        workplace.run("podman", "--root", store, "info");
      },
    ),
    contend("skopeo copy, umoci unpack", () => [
      ["skopeo", "copy", "-q", "--src-tls-verify=false", `docker://${name}`, `oci:${store}/copied:bench`],
      ["umoci", "unpack", "--rootless", "--image", `${store}/copied:bench`, `${store}/bundle`],
    ]),
    contend("tar -x, sync -f, from archives not packed", () => [
      ...archives.map((archive) => ["tar", "-C", store, "-xf", archive]),
      ["sync", "-f", store],
    ]),
  ];
}

async function describeSteps(
  workplace: Workplace,
  { layout }: BenchImage,
  place: Place,
  registry: string,
  pull: Cost,
): Promise<string> {
  const { manifests } = JSON.parse(readFileSync(`${layout}/index.json`, "utf8"));
  const blobAt = (digest: string) => `${layout}/blobs/${digest.replace(":", "/")}`;
  const { layers } = JSON.parse(readFileSync(blobAt(manifests[0].digest), "utf8"));
  const { digest } = layers[0];
  const path = blobAt(digest);
  const { size } = statSync(path);
  const steps: Step[] = [];
  const time = async (name: string, work: () => Promise<void>) => {
    const [before, used] = [performance.now(), process.cpuUsage()];
    await work();
    const { user, system } = process.cpuUsage(used);
    steps.push({ name, elapsed: performance.now() - before, processor: (user + system) / 1000 });
  };
  await time("receiving", async () => {
    const { body } = await fetch(`http://${registry}/v2/bench/blobs/${digest}`, { decompress: false });
    let received = 0;
    for await (const piece of body ?? []) received += piece.length;
    if (received !== size) throw new Error(`received ${received} bytes instead of ${size}`);
  });
  const decompressAll = async (take: (piece: Buffer) => void) => {
    await using source = await openPackedLayer({ path, offset: 0, size }, undefined);
    for await (const piece of decompress(source, "gzip")) take(piece);
  };
  await time("decompressing", () => decompressAll(() => undefined));
  const pieces: Buffer[] = [];
  await decompressAll((piece) => pieces.push(Buffer.from(piece)));
  const packed = readFileSync(path);
  await time("hashing, packed and unpacked", async () => {
    for (const bytes of [[packed], pieces]) {
      const hasher = new DigestHasher("sha256");
      for (const piece of bytes) hasher.update(piece);
      hasher.finish();
    }
  });
  await time(READING, async () => {
    const reader = new TarReader({ entry: () => undefined, data: () => undefined, end: () => undefined });
    for (const piece of pieces) reader.feed(piece);
    reader.finish();
  });
  const directory = mkdtempSync(join(place.directory, "unpacked-"));
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
  if (place.isSmall) removeAsRoot(workplace, directory);
  const share = (step: Pick<Step, "processor">) => `${((step.processor / pull.processor) * 100).toFixed(0)} %`;
  const rows = steps.map((step) => [step.name, step.elapsed.toFixed(0), step.processor.toFixed(0), share(step)]);
  const slowest = Math.max(...steps.map(({ elapsed }) => elapsed));
  // The archive was read twice.
  const needed = steps.filter(({ name }) => name !== READING).reduce((sum, { processor }) => sum + processor, 0);
  return [
    "Steps of that layer, each alone:",
    table(["", "ms", "processors, ms", "share of the pull's"], rows),
    `The pull takes ${(pull.elapsed / slowest).toFixed(2)} times as long as the slowest of them. All of them together need ` +
      `${share({ processor: needed })} of its processors' time; the rest is starting programs and threads, compiling ` +
      "JavaScript, and handing things on.",
  ].join("\n\n");
}
