import { mkdirSync, readlinkSync, renameSync, rmdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, relative } from "node:path";
import { decodeText, encodeText } from "../../sys/byte-string.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { homeDirectory } from "../../sys/home-directory.ts";
import { ownScript } from "../../sys/own-command.ts";
import { readIfThere } from "../../sys/read-if-there.ts";
import { unlinkIfThere } from "../../sys/unlink-if-there.ts";
import { type AutostartFile, type AutostartPlace, autostartPlace, commandOf } from "./autostart-place.ts";
import { findCrontab, readCrontab, writeCrontab } from "./crontab.ts";
import { ownLines, withOwnLine, withoutOwnLines } from "./crontab-text.ts";

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
 * Has the user's containers started with the machine.
 * @returns what has been done, a line each; none when all was there
 * @throws BunkerError `autostart_not_changed`, `crontab_failed`, `no_autostart`
 */
export function enableAutostart(place: AutostartPlace): readonly string[] {
  return place.kind === "crontab" ? enableByCrontab(place.line) : enableByFile(place);
}

/**
 * Takes away what `enableAutostart` has made.
 * @returns what has been done, a line each
 * @throws BunkerError `autostart_not_changed`, `crontab_failed`
 */
export function disableAutostart(place: AutostartPlace): readonly string[] {
  return place.kind === "crontab" ? disableByCrontab(place.line) : disableByFile(place);
}

/**
 * Whether containers will be started: `outdated` when it would be by another executable or from another data directory
 * than the present ones.
 * @throws BunkerError `crontab_failed`
 */
export function autostartState(place: AutostartPlace): "enabled" | "outdated" | "disabled" {
  return place.kind === "crontab" ? stateByCrontab(place.line) : stateByFile(place);
}

function enableByCrontab(text: string): readonly string[] {
  const program = findCrontab();
  if (program === undefined) {
    throw new BunkerError({
      code: "no_autostart",
      operation: "enable autostart",
      reason: "there is neither systemd nor crontab(1) here",
      hint: `Install cron, or have called when the machine has been started: ${commandOf(text)}`,
      exitStatus: 1,
    });
  }
  const line = encodeText(text);
  const crontab = readCrontab(program);
  const present = ownLines(crontab, line);
  if (present.length === 1 && present[0] === line) return [];
  writeCrontab(program, withOwnLine(crontab, line));
  return [`${present.length === 0 ? "added to" : "replaced in"} your crontab: ${text}`];
}

function disableByCrontab(text: string): readonly string[] {
  const program = findCrontab();
  if (program === undefined) return [];
  const line = encodeText(text);
  const crontab = readCrontab(program);
  const present = ownLines(crontab, line);
  if (present.length === 0) return [];
  writeCrontab(program, withoutOwnLines(crontab, line));
  return present.map((own) => `removed from your crontab: ${decodeText(own)}`);
}

function stateByCrontab(text: string): "enabled" | "outdated" | "disabled" {
  const program = findCrontab();
  if (program === undefined) return "disabled";
  const line = encodeText(text);
  const present = ownLines(readCrontab(program), line);
  if (present.length === 0) return "disabled";
  return present.length === 1 && present[0] === line ? "enabled" : "outdated";
}

function enableByFile({ path, text, link }: AutostartFile): readonly string[] {
  const done: string[] = [];
  if (readIfThere(path) !== text) {
    putInPlace("write", path, (aside) => writeFileSync(aside, text, { mode: 0o644 }));
    done.push(`wrote ${path}`);
  }
  if (link !== undefined && !isLinked({ path, link })) {
    putInPlace("link", link, (aside) => symlinkSync(relative(dirname(link), path), aside));
    done.push(`linked ${link}`);
  }
  return done;
}

function disableByFile({ path, link }: AutostartFile): readonly string[] {
  // The link first: without its file it would be an error at each start of the machine.
  const there = [link, path].filter((name) => name !== undefined && isThere(name)) as string[];
  for (const name of there) attempt("remove", name, () => unlinkIfThere(name));
  if (link !== undefined) removeIfEmpty(dirname(link));
  return there.map((name) => `removed ${name}`);
}

function stateByFile({ path, text, link }: AutostartFile): "enabled" | "outdated" | "disabled" {
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
