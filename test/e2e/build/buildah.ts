import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { busyboxLayout } from "../../fixtures/images.ts";
import { readImage, type WrittenImage } from "./image-on-disk.ts";

/** Debian's buildah, as root and without networks, with a store of its own in which there is the image `busybox`. */
export class Buildah implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "bunker-buildah-"));
  #count = 0;

  static async start(): Promise<Buildah> {
    const buildah = new Buildah();
    try {
      const id = await buildah.#run("pull", "-q", `oci:${busyboxLayout()}:latest`);
      await buildah.#run("tag", id.trim(), "localhost/busybox");
      return buildah;
    } catch (error) {
      buildah[Symbol.dispose]();
      throw error;
    }
  }

  /** Builds an image. */
  async build(context: string, options: readonly string[]): Promise<WrittenImage> {
    const fixed = ["--isolation=chroot", "--format=docker", "--identity-label=false", "--network=host", "-q"];
    const id = await this.#run("bud", ...fixed, ...options, context);
    const directory = `${this.#directory}/image-${this.#count++}`;
    await this.#run("push", "-q", "--disable-compression", id.trim(), `dir:${directory}`);
    return readImage(directory);
  }

  async #run(...words: string[]): Promise<string> {
    const store = [`--root=${this.#directory}/storage`, `--runroot=${this.#directory}/run`, "--storage-driver=vfs"];
    const child = Bun.spawn(["buildah", ...store, ...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const [output, errors] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    if (child.exitCode !== 0) throw new Error(`buildah ${words.join(" ")}: ${errors}`);
    return output;
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
