/*
 * Where the cgroup of an OCI runtime's container is to be: `linux.cgroupsPath` (config-linux.md, "Cgroups Path"), in the
 * two languages that runc and engines use for it.
 *
 *   cgroupfs   a path: from the root of the hierarchy, or without a slash at its begin from beside our own cgroup
 *   systemd    SLICE:PREFIX:NAME, for the unit PREFIX-NAME.scope in the slice
 *
 * Beside, not below: our own cgroup has a process, us, and so hands nothing on.
 */

import { BunkerError } from "../sys/error.ts";
import { nodePath } from "../sys/node-modules.ts";

/** A scope that is to be made. */
export interface ScopePlace {
  /** undefined for systemd's usual one. */
  readonly slice: string | undefined;
  readonly name: string;
}

function invalidPath(cgroupsPath: string, reason: string): BunkerError {
  return new BunkerError({
    code: "invalid_configuration",
    operation: "read configuration",
    object: "linux.cgroupsPath",
    reason: `${JSON.stringify(cgroupsPath)}: ${reason}`,
  });
}

/**
 * The path of a cgroup that is made by hand.
 * @param cgroupsPath empty for none given
 * @param id the container's
 * @param own our own cgroup
 * @throws BunkerError `invalid_configuration`
 */
export function pathPlace(cgroupsPath: string, id: string, own: string): string {
  if (/^[^/]*\.slice:/.test(cgroupsPath)) {
    throw invalidPath(cgroupsPath, "SLICE:PREFIX:NAME is for --systemd-cgroup");
  }
  const wanted = cgroupsPath === "" ? id : cgroupsPath;
  if (wanted.split("/").includes("..")) throw invalidPath(cgroupsPath, "it must not lead upwards");
  const path = nodePath().posix.resolve("/", nodePath().posix.dirname(own), wanted);
  if (path === "/") throw invalidPath(cgroupsPath, "the root of the hierarchy is everybody's");
  return path;
}

/**
 * The place of a cgroup that systemd makes.
 * @throws BunkerError `invalid_configuration`
 */
export function scopePlace(cgroupsPath: string, id: string): ScopePlace {
  if (cgroupsPath === "") return { slice: undefined, name: `bunker-${id}.scope` };
  const parts = cgroupsPath.split(":");
  const [slice = "", prefix = "", name = ""] = parts;
  if (parts.length !== 3 || name === "") throw invalidPath(cgroupsPath, "expected SLICE:PREFIX:NAME");
  if (slice !== "" && !isSlice(slice)) throw invalidPath(cgroupsPath, `${slice} is no name of a slice`);
  const unit = `${prefix === "" ? "" : `${prefix}-`}${name}.scope`;
  if (!/^[\w:.@-]{1,249}\.scope$/.test(unit)) throw invalidPath(cgroupsPath, `${unit} is no name of a unit`);
  return { slice: slice === "" ? undefined : slice, name: unit };
}

/** Whether systemd would take a name for that of a slice; systemd.slice(5). */
export function isSlice(name: string): boolean {
  return name === "-.slice" || (/^[\w:.@]+(?:-[\w:.@]+)*\.slice$/.test(name) && name.length <= 255);
}
