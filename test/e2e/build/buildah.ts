import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readImage, type WrittenImage } from "./image-on-disk.ts";

/** Debian's buildah, as root and without networks, with a store of its own. */
export class Buildah implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "bunker-buildah-"));
  #count = 0;

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
    const id = await this.#run("bud", ...fixed, ...options, context);
    const directory = `${this.#directory}/image-${this.#count++}`;
    await this.#run("push", "-q", "--disable-compression", id.trim(), `dir:${directory}`);
    const image = readImage(directory, below);
    rmSync(directory, { recursive: true });
    return image;
  }

  #run(...words: string[]): Promise<string> {
    const store = [`--root=${this.#directory}/storage`, `--runroot=${this.#directory}/run`, "--storage-driver=overlay"];
    return run(["buildah", ...store, ...words]);
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
