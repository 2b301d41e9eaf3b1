import type { TmpfsMountRequest } from "../../engine/specification/run-options.ts";
import { nearestName } from "../../nearest-name.ts";
import { InvalidValue } from "../invalid-value.ts";
import { quote } from "../option-table.ts";
import { parseMountPoint } from "./paths.ts";

/** Flags with what undoes them; mount(8). */
const OPPOSITES: Readonly<Record<string, string>> = {
  ro: "rw",
  rw: "ro",
  exec: "noexec",
  noexec: "exec",
  suid: "nosuid",
  nosuid: "suid",
  dev: "nodev",
  nodev: "dev",
  sync: "async",
  async: "sync",
  atime: "noatime",
  noatime: "atime",
  diratime: "nodiratime",
  nodiratime: "diratime",
};
/** What tmpfs(5) is told by value, and what the value looks like. */
const PARAMETERS: Readonly<Record<string, RegExp>> = {
  size: /^\d+[kmg%]?$/i,
  mode: /^[0-7]{1,5}$/,
  uid: /^\d+$/,
  gid: /^\d+$/,
  nr_inodes: /^\d+[kmg]?$/i,
  nr_blocks: /^\d+[kmg]?$/i,
};
/** Docker's, unless the user says otherwise. */
const INITIAL_OPTIONS = ["noexec", "nosuid", "nodev"];

/**
 * Reads the value of `--tmpfs`: `DESTINATION[:OPTION,...]`.
 * @throws InvalidValue
 */
export function parseTmpfsOption(text: string): TmpfsMountRequest {
  const colon = text.indexOf(":");
  const destination = colon < 0 ? text : text.slice(0, colon);
  const options = colon < 0 ? [] : text.slice(colon + 1).split(",");
  return { type: "tmpfs", destination: parseMountPoint(destination), options: tmpfsOptions(options) };
}

/**
 * Joins a user's tmpfs options with the initial `noexec,nosuid,nodev`: of options that exclude each other the last
 * one counts.
 * @throws InvalidValue for an option that a tmpfs does not know
 */
export function tmpfsOptions(given: readonly string[]): readonly string[] {
  const options = new Set(INITIAL_OPTIONS);
  for (const option of given) {
    checkOption(option);
    const [key = ""] = option.split("=");
    for (const earlier of options) {
      if (earlier === OPPOSITES[option] || (option.includes("=") && earlier.startsWith(`${key}=`)))
        options.delete(earlier);
    }
    options.add(option);
  }
  return [...options];
}

function checkOption(option: string): void {
  if (Object.hasOwn(OPPOSITES, option)) return;
  const [key = "", ...rest] = option.split("=");
  const shape = Object.hasOwn(PARAMETERS, key) ? PARAMETERS[key] : undefined;
  if (shape?.test(rest.join("="))) return;
  if (shape !== undefined) throw new InvalidValue(`${quote(option)} is no value for ${key}`);
  const nearest = nearestName(key, [...Object.keys(OPPOSITES), ...Object.keys(PARAMETERS)]);
  throw new InvalidValue(
    `unknown tmpfs option ${quote(key)}${nearest === undefined ? "" : `; did you mean ${nearest}?`}`,
  );
}
