import { mkdirSync, readlinkSync, renameSync, rmdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, relative } from "node:path";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { homeDirectory } from "../../sys/home-directory.ts";
import { ownScript } from "../../sys/own-command.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import { unlinkIfThere } from "../../sys/unlink-if-there.ts";
import { type AutostartFile, type AutostartPlace, autostartPlace } from "./autostart-place.ts";

/** Where the start of the calling user's containers belongs on this host; see `autostartPlace`. */
export function callersAutostartPlace(): AutostartPlace {
  const absolute = (path = "") => (path.startsWith("/") ? path : undefined);
  const { XDG_CONFIG_HOME, XDG_DATA_HOME } = process.env;
  return autostartPlace({
    uid: process.geteuid?.() ?? 0,
    home: homeDirectory(),
    configHome: absolute(XDG_CONFIG_HOME),
    dataHome: absolute(XDG_DATA_HOME),
    command: [process.execPath, ...ownScript()],
  });
}

/**
 * Writes a file, and the link that enables it.
 * @returns the paths that have been made or changed; none when all was there
 * @throws BunkerError `autostart_not_changed`
 */
export function enableAutostart({ path, text, link }: AutostartFile): readonly string[] {
  const changed: string[] = [];
  if (readIfThere(path) !== text) {
    putInPlace("write", path, (aside) => writeFileSync(aside, text, { mode: 0o644 }));
    changed.push(path);
  }
  if (link !== undefined && !isLinked({ path, link })) {
    putInPlace("link", link, (aside) => symlinkSync(relative(dirname(link), path), aside));
    changed.push(link);
  }
  return changed;
}

/**
 * Removes a file, and the link that enables it.
 * @returns the paths that have been removed
 * @throws BunkerError `autostart_not_changed`
 */
export function disableAutostart({ path, link }: AutostartFile): readonly string[] {
  // The link first: without its file it would be an error at each start of the machine.
  const there = [link, path].filter((name) => name !== undefined && isThere(name)) as string[];
  for (const name of there) attempt("remove", name, () => unlinkIfThere(name));
  if (link !== undefined) removeIfEmpty(dirname(link));
  return there;
}

/**
 * Whether containers will be started: `outdated` when it would be by another executable or from another data directory
 * than the present ones.
 */
export function autostartState({ path, text, link }: AutostartFile): "enabled" | "outdated" | "disabled" {
  const present = readIfThere(path);
  if (present === undefined || (link !== undefined && !isLinked({ path, link }))) return "disabled";
  return present === text ? "enabled" : "outdated";
}

/** Whether a link leads to a file: as written here, or by its whole path as systemctl writes it. */
function isLinked({ path, link }: { readonly path: string; readonly link: string }): boolean {
  const target = linkTarget(link);
  return target === relative(dirname(link), path) || target === path;
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function isThere(path: string): boolean {
  return linkTarget(path) !== undefined || readIfThere(path) !== undefined;
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Others have something there, or there is none.
  }
}

/** Has something made aside, in the directory where it belongs, and puts it in its place at once. */
function putInPlace(verb: string, path: string, make: (aside: string) => void): void {
  const aside = `${dirname(path)}/.${basename(path)}.${process.pid}`;
  attempt(verb, path, () => {
    mkdirSync(dirname(path), { recursive: true });
    unlinkIfThere(aside);
    try {
      make(aside);
      renameSync(aside, path);
    } catch (error) {
      unlinkIfThere(aside);
      throw error;
    }
  });
}

function attempt(verb: string, path: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw new BunkerError({
      code: "autostart_not_changed",
      operation: verb,
      object: path,
      errno: errnoOf(error),
      exitStatus: 1,
    });
  }
}
