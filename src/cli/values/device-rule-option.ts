import type { DeviceRule } from "../../cgroup/resource-files.ts";
import { InvalidValue } from "../invalid-value.ts";

/**
 * Reads the value of `--device-cgroup-rule` as Docker does: `TYPE MAJOR:MINOR ACCESS`, such as `c 42:* rmw`.
 * @throws InvalidValue
 */
export function parseDeviceRule(text: string): DeviceRule {
  const [, type, major, minor, access = ""] = /^([acb]) (\d{1,9}|\*):(\d{1,9}|\*) ([rwm]{1,3})$/.exec(text) ?? [];
  if (type === undefined) throw new InvalidValue("expected a rule such as 'c 42:* rmw': a, b or c, numbers, and rwm");
  // -1 is any.
  const number = (word = "*") => (word === "*" ? -1 : Number(word));
  return { allow: true, type: type as "a" | "b" | "c", major: number(major), minor: number(minor), access };
}
