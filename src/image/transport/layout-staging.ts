/*
 * Where the files of an image directory grow before they are renamed to their places: a directory in it, locked as long as
 * its owner lives. Whoever comes next removes those whose lock is free.
 */
import { mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { encodeText } from "../../sys/byte-string.ts";
import { BunkerError } from "../../sys/error.ts";
import { Lock, lock, openAt } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { check } from "../../sys/system-call.ts";
import { writeError } from "../../sys/write-error.ts";

const STAGING_PREFIX = ".bunker-";

/** A directory of one's own, removed with all that is in it when it is disposed of. */
export interface LayoutStaging extends Disposable {
  readonly path: string;
}

/**
 * Makes a directory for files that grow, and removes what the dead have left.
 * @param layout the layout's directory
 * @throws BunkerError `write_failed`, `no_space`
 */
export function openLayoutStaging(layout: string): LayoutStaging {
  try {
    // Nobody sweeps a directory away that its maker has not locked yet.
    using _layout = lockLayout(layout);
    sweep(layout);
    const path = `${layout}/${STAGING_PREFIX}${crypto.randomUUID()}`;
    mkdirSync(path);
    const own = openDirectory(path);
    check(lock(own.number, Lock.exclusive), "lock", path);
    return {
      path,
      [Symbol.dispose]: () => {
        rmSync(path, { recursive: true, force: true });
        own.close();
      },
    };
  } catch (cause) {
    throw writeError(cause, "write to", layout);
  }
}

/** Holds off everybody else who changes index.json; the descriptor is the layout's directory. */
export function lockLayout(layout: string): FileDescriptor {
  const own = openDirectory(layout);
  check(lock(own.number, Lock.exclusive), "lock", layout);
  return own;
}

/**
 * Refuses to make a layout of a directory with other things in it.
 * @param shown the directory as the user has written it
 * @throws BunkerError `not_a_layout`
 */
export function refuseOtherDirectories(path: string, shown: string): void {
  const names = namesIn(path);
  if (names.length === 0 || names.includes("oci-layout")) return;
  throw new BunkerError({
    code: "not_a_layout",
    operation: "write an image layout to",
    object: shown,
    reason: "there are other files in the directory",
    hint: "Give a directory that is an image layout already, is empty or does not exist.",
  });
}

/** The names in an image directory, without those of directories for files that grow. */
export function namesIn(path: string): string[] {
  return readdirSync(path).filter((name) => !name.startsWith(STAGING_PREFIX));
}

/** Removes directories that were made, down to the first of them, unless somebody has put something there. */
export function removeMade(path: string, firstMade: string): void {
  try {
    for (let directory = path; directory.startsWith(firstMade); directory = dirname(directory)) rmdirSync(directory);
  } catch {
    // Not empty any more.
  }
}

function sweep(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const { name } = entry;
    // An archive that somebody is writing into the same directory has such a name, too.
    if (!name.startsWith(STAGING_PREFIX) || !entry.isDirectory()) continue;
    using left = openDirectory(`${path}/${name}`);
    if (lock(left.number, Lock.exclusive | Lock.nonBlocking) === 0) rmSync(`${path}/${name}`, { recursive: true });
  }
}

function openDirectory(path: string): FileDescriptor {
  const flags = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;
  return new FileDescriptor(check(openAt(AT_FDCWD, encodeText(path), flags), "open the directory", path));
}
