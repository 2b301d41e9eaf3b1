/*
 * An image as it is on disk, taken apart: its configuration, and the files that its layers come to. Layouts of OCI images
 * are read, and directories that an overlay has been made of.
 */
import { readFileSync } from "node:fs";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { TarReader } from "../../../src/image/tar/tar-reader.ts";
import { encodeText } from "../../../src/sys/byte-string.ts";

/** The members of a configuration that are looked at in tests. */
interface WrittenConfiguration {
  readonly author?: string;
  readonly architecture: string;
  readonly os: string;
  readonly created: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly history: readonly { readonly created_by?: string; readonly empty_layer?: boolean }[];
}

export interface WrittenImage {
  readonly configuration: WrittenConfiguration;
  /** Paths without a slash at either end lead to what is there: `file 644 0:0 "short content"`, or its digest. */
  readonly tree: ReadonlyMap<string, string>;
  /** When files, directories and links were modified, in seconds since 1970. */
  readonly times: ReadonlyMap<string, number>;
}

/** The attribute of a directory in an overlay that hides what is below it. */
const OPAQUE = encodeText("trusted.overlay.opaque");

interface ManifestJson {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

/**
 * Reads the only image of a layout.
 * @param below layers of it that are not looked at; what layers above take away of them is not seen
 */
export function readImage(directory: string, below = 0): WrittenImage {
  const blob = (digest: string) => readFileSync(`${directory}/blobs/${digest.replace(":", "/")}`);
  const parse = (bytes: Buffer) => JSON.parse(bytes.toString());
  const index = parse(readFileSync(`${directory}/index.json`));
  const manifest: ManifestJson = parse(blob(index.manifests[0].digest));
  return imageOf(
    blob(manifest.config.digest),
    manifest.layers.slice(below).map(({ digest }) => unpacked(blob(digest))),
  );
}

/** Reads an image whose layers, the lowest first, are directories of an overlay. */
export function readStoredImage(configuration: Buffer, directories: readonly string[]): WrittenImage {
  const kept = ["user.*", "security.capability", OPAQUE].map((name) => `--xattrs-include=${name}`);
  const archives = directories.map((directory) => {
    const { stdout, stderr, exitCode } = Bun.spawnSync(["tar", "--numeric-owner", "-C", directory, ...kept, "-c", "."]);
    if (exitCode !== 0) throw new Error(`tar ${directory}: ${stderr}`);
    return stdout;
  });
  return imageOf(configuration, archives);
}

function imageOf(configuration: Buffer, archives: readonly Buffer[]): WrittenImage {
  const tree = new Map<string, string>();
  const times = new Map<string, number>();
  for (const archive of archives) applyLayer(tree, times, archive);
  return { configuration: JSON.parse(configuration.toString()), tree, times };
}

function unpacked(layer: Buffer): Buffer {
  if (layer.readUInt16BE(0) === 0x1f8b) return gunzipSync(layer);
  return layer.readUInt32LE(0) === 0xfd2fb528 ? zstdDecompressSync(layer) : layer;
}

/** Paths of an archive as they are known in a tree. */
function pathOf(name: string): string {
  return Buffer.from(name, "latin1")
    .toString()
    .replace(/^(?:\.?\/)+|\/+$/g, "");
}

function applyLayer(tree: Map<string, string>, times: Map<string, number>, archive: Buffer): void {
  const added = new Set<string>();
  const remove = (path: string, isKept: (each: string) => boolean) => {
    for (const each of [...tree.keys()]) {
      if ((each === path || each.startsWith(`${path}/`)) && !isKept(each)) tree.delete(each);
    }
  };
  let finish = () => {};
  const reader = new TarReader({
    entry: ({ type, name, linkName, mode, uid, gid, size, deviceMajor, deviceMinor, attributes, modified }) => {
      const path = pathOf(name);
      const base = path.split("/").at(-1) ?? "";
      finish = () => {};
      if (base === ".wh..wh..opq") {
        const parent = path.slice(0, -base.length - 1);
        remove(parent, (each) => each === parent || added.has(each));
        return;
      }
      if (base.startsWith(".wh.")) {
        remove(path.slice(0, -base.length) + base.slice(4), () => false);
        return;
      }
      if (path === "") return;
      if (type === "character-device" && deviceMajor === 0 && deviceMinor === 0) {
        remove(path, () => false);
        return;
      }
      if (attributes.has(OPAQUE)) remove(path, () => false);
      if (type !== "directory") remove(path, () => false);
      added.add(path);
      if (type !== "hard-link") times.set(path, modified.seconds);
      const extra = [...attributes]
        .filter(([key]) => key !== OPAQUE)
        .map(([key, value]) => ` ${key}=${Buffer.from(value, "latin1").toString("hex")}`)
        .sort();
      const common = `${type} ${mode.toString(8)} ${uid}:${gid}`;
      if (type === "hard-link") {
        const target = tree.get(pathOf(linkName));
        if (target === undefined) throw new Error(`${path} is a link to ${pathOf(linkName)}, which is not there`);
        tree.set(path, target);
      } else if (type === "file") {
        pieces = [];
        finish = () => tree.set(path, `${common} ${shownContent(Buffer.concat(pieces), size)}${extra.join("")}`);
      } else if (type === "symbolic-link") tree.set(path, `symbolic-link ${uid}:${gid} ${pathOrText(linkName)}`);
      else if (type === "directory") tree.set(path, `${common}${extra.join("")}`);
      else tree.set(path, `${common} ${deviceMajor}:${deviceMinor}`);
    },
    data: (chunk, start, end) => pieces.push(Buffer.from(chunk.subarray(start, end))),
    end: () => finish(),
  });
  let pieces: Buffer[] = [];
  reader.feed(archive);
  reader.finish();
}

/** The content of a file as it is shown in a tree. */
export function shownContent(content: Buffer, size: number): string {
  if (size <= 200 && content.length === size) return JSON.stringify(content.toString());
  return `${size} ${new Bun.CryptoHasher("sha256").update(content).digest("hex").slice(0, 16)}`;
}

function pathOrText(name: string): string {
  return Buffer.from(name, "latin1").toString();
}

/** What buildah leaves of mounts for RUN, and BuildKit does not. */
const STUB = /^(?:etc\/(?:resolv\.conf|hosts|hostname): file 755 0:0 ""|(?:etc|run): directory 755 0:0)$/;

/**
 * What two builders have to agree on; buildah notes the name of the machine, and does not say that / is /.
 * @param timed files whose times of modification count, too
 * @param differing files whose content does not count
 */
export function comparable(
  { configuration, tree, times }: WrittenImage,
  { timed = [], differing }: { readonly timed?: readonly string[]; readonly differing?: RegExp | undefined } = {},
) {
  const { config, architecture, os, author } = configuration;
  const { Hostname: _, WorkingDir, Env, ...rest } = config;
  const place = WorkingDir === "/" ? {} : { WorkingDir };
  // A variable that is set again keeps its place here, as in Docker.
  const environment = { Env: Array.isArray(Env) ? Env.toSorted() : Env };
  const told = Object.entries({ ...rest, ...place, ...environment }).filter(([, value]) => !isNothing(value));
  const counted = (path: string, what: string) => (differing?.test(path) ? what.split(" ", 3).join(" ") : what);
  return {
    config: Object.fromEntries(told.sort(([one], [other]) => (one < other ? -1 : 1))),
    platform: `${os}/${architecture}`,
    author: author ?? "",
    tree: [...tree]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([path, what]) => `${path}: ${counted(path, what)}`)
      .filter((line) => !STUB.test(line)),
    times: timed.map((path) => `${path}: ${times.get(path)}`),
  };
}

/** Go leaves out what is empty, or writes it as null. */
function isNothing(value: unknown): boolean {
  if (value === null || value === "" || value === false) return true;
  return typeof value === "object" && Object.keys(value ?? {}).length === 0;
}
