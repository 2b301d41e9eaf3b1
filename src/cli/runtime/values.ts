/** Values of the runtime's options; unlike the engine's, they leave nothing to be looked up in the container. */
import { CAPABILITY_NAMES, type CapabilityName } from "../../runtime/configuration/capabilities.ts";
import { InvalidValue } from "../invalid-value.ts";
import { parseCapabilityOption } from "../values/capability-option.ts";

const LARGEST_ID = 0xffff_fffe;

/**
 * Reads `NAME=VALUE`.
 * @throws InvalidValue
 */
export function parseEnvironmentEntry(text: string): string {
  if (text.indexOf("=") < 1) throw new InvalidValue("expected NAME=VALUE");
  return text;
}

/**
 * Reads `UID[:GID]`, numbers only: the runtime knows no names.
 * @throws InvalidValue
 */
export function parseNumericUser(text: string): { readonly uid: number; readonly gid?: number } {
  const [, uid, gid] = /^(\d+)(?::(\d+))?$/.exec(text) ?? [];
  const numbers = { uid: Number(uid), ...(gid === undefined ? {} : { gid: Number(gid) }) };
  if (uid === undefined || Object.values(numbers).some((id) => id > LARGEST_ID)) {
    throw new InvalidValue("expected UID[:GID], numbers");
  }
  return numbers;
}

/**
 * Reads a capability's name, with or without `CAP_`.
 * @throws InvalidValue
 */
export function parseCapability(text: string): CapabilityName {
  const name = parseCapabilityOption(text);
  const found = CAPABILITY_NAMES.find((known) => known === name);
  if (found === undefined) throw new InvalidValue("expected the name of one capability");
  return found;
}

/**
 * Reads the path of a cgroup below a container's.
 * @returns without slashes around it, "" for the container's own
 * @throws InvalidValue also for `CONTROLLER:PATH`, which has a meaning for cgroup v1 only
 */
export function parseGroupBelow(text: string): string {
  if (text.includes(":"))
    throw new InvalidValue("expected a path; controllers have cgroups of their own in cgroup v1 only");
  const names = text.split("/").filter((name) => name !== "" && name !== ".");
  if (text === "" || names.includes(".."))
    throw new InvalidValue("expected a path that stays in the container's cgroup");
  return names.join("/");
}
