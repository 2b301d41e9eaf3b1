/*
 * An image layout in a directory, to which images may be added that it does not have yet. Blobs grow in a directory
 * beside the others' and are renamed to their places when all are there; then index.json is replaced. Two who write to
 * one layout at once share its blobs, and change index.json one after the other, under a lock. What a killed writer has
 * left is known by its free lock, and the next one removes it.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { synchronizeFileSystem } from "../../sys/file.ts";
import { check } from "../../sys/system-call.ts";
import { writeError } from "../../sys/write-error.ts";
import { blobPath } from "../layout-files.ts";
import { checkRoom } from "../room.ts";
import type { LayoutSink } from "./layout-sink.ts";
import { lockLayout, openLayoutStaging, refuseOtherDirectories, removeMade } from "./layout-staging.ts";
import { visibleStatus } from "./visible-status.ts";

/**
 * Opens a layout's directory for writing, and makes it where it is missing.
 * @throws BunkerError `write_failed`, `no_space`; `not_a_layout` when there are other things in the directory
 */
export function openDirectorySink(directory: string): LayoutSink {
  const path = resolve(directory);
  const attempt = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (cause) {
      throw writeError(cause, "write to", directory);
    }
  };
  const firstMade = attempt(() => mkdirSync(path, { recursive: true }));
  refuseOtherDirectories(path, directory);
  const staging = openLayoutStaging(path);
  const staged = new Map<string, string>();
  let isCommitted = false;
  return {
    concurrency: undefined,
    checkRoom: (bytes, name) => checkRoom(path, bytes, name),
    has: ({ digest, size }) => staged.has(digest) || visibleStatus(`${path}/${blobPath(digest)}`)?.size === size,
    add: async ({ digest }, pieces) => {
      const aside = `${staging.path}/${crypto.randomUUID()}`;
      await using file = await open(aside, "wx", 0o644).catch((cause) => {
        throw writeError(cause, "write to", directory);
      });
      for await (const piece of pieces) {
        try {
          for (let at = 0; at < piece.length; ) at += (await file.write(piece, at, piece.length - at)).bytesWritten;
        } catch (cause) {
          throw writeError(cause, "write to", directory);
        }
      }
      staged.set(digest, aside);
    },
    commit: async (documents) => {
      try {
        // Nothing is awaited under the lock: another writer of this process would wait for it on this very thread.
        using own = lockLayout(path);
        const index = `${path}/index.json`;
        const prepared = documents(existsSync(index) ? readFileSync(index) : undefined);
        for (const [name, bytes] of prepared) writeFileSync(`${staging.path}/${name}`, bytes, { mode: 0o644 });
        check(synchronizeFileSystem(own.number), "write to disk", path);
        for (const [digest, aside] of staged) {
          const place = `${path}/${blobPath(digest as Parameters<typeof blobPath>[0])}`;
          mkdirSync(dirname(place), { recursive: true });
          renameSync(aside, place);
        }
        for (const [name] of prepared) renameSync(`${staging.path}/${name}`, `${path}/${name}`);
        isCommitted = true;
      } catch (cause) {
        throw writeError(cause, "write to", directory);
      }
    },
    [Symbol.asyncDispose]: async () => {
      staging[Symbol.dispose]();
      if (!isCommitted && firstMade !== undefined) removeMade(path, firstMade);
    },
  };
}
