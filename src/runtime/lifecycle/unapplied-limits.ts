import type { Configuration } from "../configuration/configuration.ts";
import { isInInitialUserNamespace } from "../id-map/write-id-map.ts";

/**
 * What of `linux.resources` has no effect because containers are not in a control group of their own.
 * @returns a sentence for the user, or undefined when nothing was asked for
 */
export function unappliedLimits(configuration: Configuration): string | undefined {
  const { resources = {}, namespaces = [] } = configuration.linux ?? {};
  const inUserNamespace = namespaces.some(({ type }) => type === "user") || !isInInitialUserNamespace();
  const asked = Object.entries(resources)
    .filter(([, value]) => value !== undefined && Object.keys(value).length > 0)
    // In a user namespace no device node can be made, and those of the host keep their permissions.
    .filter(([name]) => name !== "devices" || !inUserNamespace)
    .map(([name]) => name);
  if (asked.length === 0) return undefined;
  return `resource limits are not applied: no writable cgroup (linux.resources: ${asked.join(", ")})`;
}
