/*
 * A layer that unpacks to more than there is room for, whether somebody means harm by it or not, is refused before it
 * has filled the file system for everybody else: a share of that stays free. What an archive says of sizes is no
 * measure, since zeros take no space; so what is really written is counted, and now and then the file system is asked.
 */
import { statfsSync } from "node:fs";
import type { ByteString } from "../../sys/byte-string.ts";
import { BunkerError } from "../../sys/error.ts";
import { showName } from "../tar/tar-error.ts";

/** Of the file system's size, and bytes: what stays free is the lesser of both. */
const KEPT_SHARE = 0.01;
const MOST_KEPT = 32 << 20;
/** Bytes after which the file system is asked again: others write, too. */
const STEP = 64 << 20;

/** Sees to it that writing a layer's files leaves some space. */
export class SpaceLeft {
  readonly #directory: number;
  readonly #settle: () => void;
  /** Bytes that may be written before the file system is asked. */
  #granted = 0;

  /**
   * @param directory descriptor of a directory there
   * @param settle sees to it that what has been taken was written, before the file system is asked
   */
  constructor(directory: number, settle: () => void = () => {}) {
    this.#directory = directory;
    this.#settle = settle;
  }

  /**
   * Says that bytes are about to be written.
   * @param path of the file, for the message
   * @throws BunkerError `no_space`
   */
  take(bytes: number, path: ByteString): void {
    if (bytes > this.#granted) this.#grant(bytes, path);
    this.#granted -= bytes;
  }

  #grant(bytes: number, path: ByteString): void {
    this.#settle();
    const { bavail, blocks, bsize } = statfsSync(`/proc/self/fd/${this.#directory}`);
    const kept = Math.min(blocks * bsize * KEPT_SHARE, MOST_KEPT);
    const usable = bavail * bsize - kept;
    // Some file systems do not know.
    if (blocks > 0 && usable < bytes) {
      const [left, keptMiB] = [bavail * bsize, kept].map((value) => (value / 2 ** 20).toFixed(0));
      throw new BunkerError({
        code: "no_space",
        operation: "write",
        object: showName(path),
        reason: `its file system has ${left} MiB left, of which layers leave ${keptMiB} MiB free`,
        hint: "Free some space on the file system of the image store.",
      });
    }
    this.#granted = blocks > 0 ? Math.max(bytes, Math.min(usable, STEP)) : STEP;
  }
}
