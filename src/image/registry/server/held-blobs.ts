/*
 * Blobs that clients have brought to Bunker's store, or were told that they need not bring, and that no image of it names
 * yet. Whoever prunes the store in between takes them away, for he cannot know what is still to come. So the server has a
 * link of its own to each of them, as those who pull have (store/blob-staging.ts), and when a manifest comes it puts back
 * what has gone.
 *
 * A link is given back when an image has its blob, or when its repository has been left alone for an hour; all are with
 * the server's staging directory.
 */
import { rmSync } from "node:fs";
import type { Digest } from "../../digest.ts";
import { blobPath } from "../../layout-files.ts";
import { linkBlob } from "../../link-blob.ts";
import type { LayoutStaging } from "../../transport/layout-staging.ts";

/** Milliseconds after which nobody is waited for any more who has brought blobs and no manifest. */
const LONGEST_PAUSE = 60 * 60 * 1000;

interface HeldRepository {
  /** The server's own link to each blob. */
  readonly links: Map<Digest, string>;
  /** When a client last asked for one to be held, by `performance.now()`. */
  touched: number;
}

export class HeldBlobs {
  readonly #directory: string;
  readonly #staging: LayoutStaging;
  readonly #repositories = new Map<string, HeldRepository>();

  /** @param directory the store's */
  constructor(directory: string, staging: LayoutStaging) {
    this.#directory = directory;
    this.#staging = staging;
  }

  /**
   * Holds a blob for a repository.
   * @param path where its bytes are
   * @returns whether there is such a blob
   */
  hold(repository: string, digest: Digest, path: string): boolean {
    const now = performance.now();
    for (const [other, { touched, links }] of this.#repositories) {
      if (now - touched > LONGEST_PAUSE) this.release(other, [...links.keys()]);
    }
    const held = this.#repositories.get(repository) ?? { links: new Map<Digest, string>(), touched: now };
    held.touched = now;
    if (!held.links.has(digest)) {
      const own = `${this.#staging.path}/${crypto.randomUUID()}`;
      if (!linkBlob(path, own)) return false;
      held.links.set(digest, own);
      this.#repositories.set(repository, held);
    }
    return true;
  }

  /** Puts back what is held for a repository and has gone from the store. */
  putBack(repository: string): void {
    for (const [digest, own] of this.#repositories.get(repository)?.links ?? []) {
      linkBlob(own, `${this.#directory}/${blobPath(digest)}`);
    }
  }

  /** Lets blobs go, those of them that are held for a repository. */
  release(repository: string, digests: Iterable<Digest>): void {
    const held = this.#repositories.get(repository);
    if (held === undefined) return;
    for (const digest of digests) {
      const own = held.links.get(digest);
      if (own !== undefined) rmSync(own, { force: true });
      held.links.delete(digest);
    }
    if (held.links.size === 0) this.#repositories.delete(repository);
  }
}
