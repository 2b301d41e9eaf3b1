import { InvalidValue } from "../invalid-value.ts";

/**
 * Reads the place below which a container's cgroup is to be: the name of a slice, or an absolute path in the hierarchy.
 * @throws InvalidValue
 */
export function parseCgroupParent(text: string): string {
  const isSlice = /^(?:-|[\w:.@]+(?:-[\w:.@]+)*)\.slice$/.test(text);
  const isPath = /^(?:\/[^/]+)+$/.test(text) && !text.split("/").some((step) => step === "." || step === "..");
  if (isSlice || isPath) return text;
  throw new InvalidValue(
    "expected a slice of systemd's such as user-heavy.slice, or the path of a cgroup such as /heavy",
  );
}
