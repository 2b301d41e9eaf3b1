import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { readStoredImage, type WrittenImage } from "./image-on-disk.ts";

const imagesSchema = v.array(v.object({ id: v.string(), layer: v.string() }));
const layersSchema = v.array(v.object({ id: v.string(), parent: v.optional(v.string()) }));

/** Debian's buildah, as root and without networks of its own, with a store of its own. */
export class Buildah implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "bunker-buildah-"));

  /** @param images the names of images that are in its store, and where they come from */
  static async start(images: Readonly<Record<string, string>>): Promise<Buildah> {
    const buildah = new Buildah();
    try {
      for (const [name, source] of Object.entries(images)) {
        const place = `containers-storage:[overlay@${buildah.#directory}/storage+${buildah.#directory}/run]`;
        await run(["skopeo", "--insecure-policy", "copy", "-q", source, `${place}localhost/${name}`]);
      }
      return buildah;
    } catch (error) {
      buildah[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Builds an image.
   * @param below layers of it that are not looked at
   */
  async build(context: string, options: readonly string[], below = 0): Promise<WrittenImage> {
    const fixed = ["--isolation=chroot", "--format=docker", "--identity-label=false", "--network=host", "-q"];
    const store = [`--root=${this.#directory}/storage`, `--runroot=${this.#directory}/run`, "--storage-driver=overlay"];
    const id = (await run(["buildah", ...store, "bud", ...fixed, ...options, context])).trim();
    // To have it written out would take longer than to build it: base images would be packed again.
    return readStoredImage(this.#configurationOf(id), this.#layersOf(id).slice(below));
  }

  #configurationOf(id: string): Buffer {
    const name = `=${Buffer.from(`sha256:${id}`).toString("base64")}`;
    return readFileSync(`${this.#directory}/storage/overlay-images/${id}/${name}`);
  }

  /** The directories of an image's layers, the lowest first. */
  #layersOf(id: string): readonly string[] {
    const { layer } = this.#index("images", imagesSchema).find((image) => image.id === id) ?? { layer: undefined };
    const parents = new Map(this.#index("layers", layersSchema).map((each) => [each.id, each.parent]));
    const directories: string[] = [];
    for (let each = layer; each !== undefined; each = parents.get(each)) {
      directories.unshift(`${this.#directory}/storage/overlay/${each}/diff`);
    }
    return directories;
  }

  #index<Schema extends v.GenericSchema>(kind: "images" | "layers", schema: Schema): v.InferOutput<Schema> {
    const text = readFileSync(`${this.#directory}/storage/overlay-${kind}/${kind}.json`, "utf8");
    return v.parse(schema, JSON.parse(text));
  }

  [Symbol.dispose](): void {
    // The driver mounts its directory onto itself, and leaves it so, now and then with a mount in it.
    Bun.spawnSync(["umount", "--lazy", `${this.#directory}/storage/overlay`]);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

async function run(words: readonly string[]): Promise<string> {
  const child = Bun.spawn([...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (child.exitCode !== 0) throw new Error(`${words.join(" ")}: ${errors}`);
  return output;
}
