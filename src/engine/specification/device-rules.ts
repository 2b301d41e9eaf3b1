/*
 * Which devices a container may use. In a user namespace of its own it can make no device nodes, so it has those that are
 * bound into it and no others, and nothing need be said. A container of root's without one could make any; there the
 * kernel asks a filter on the container's cgroup (cgroup/device-filter.ts), which permits what `--device` and
 * `--device-cgroup-rule` name, besides what every container has.
 *
 * Where there is no cgroup v2 for root's containers, they do without the capability to make nodes, unless it was asked for
 * by name.
 */
import type { DeviceRule } from "../../cgroup/resource-files.ts";
import { BunkerError } from "../../sys/error.ts";
import type { ContainerInput } from "./container-input.ts";

/** How a container is kept from devices that it was not given. */
export type DeviceProtection = "user namespace" | "filter" | "no nodes" | "none";

/** Finds out what protects the host's devices. */
export function deviceProtection({
  options,
  userNamespace,
  host,
}: Pick<ContainerInput, "options" | "userNamespace" | "host">): DeviceProtection {
  if (userNamespace !== undefined) return "user namespace";
  if (options.privileged) return "none";
  return host.filtersDevices ? "filter" : "no nodes";
}

/** A rule as `--device-cgroup-rule` has it. */
export function deviceRuleText({ type = "a", major = -1, minor = -1, access = "rwm" }: DeviceRule): string {
  const [first, second] = [major, minor].map((number) => (number < 0 ? "*" : number));
  return `${type} ${first}:${second} ${access}`;
}

/**
 * The rules for `linux.resources.devices`.
 * @returns undefined for none
 * @throws BunkerError `limit_not_supported` for rules that nothing would obey
 */
export function deviceRules(
  input: Pick<ContainerInput, "options" | "userNamespace" | "host">,
): readonly DeviceRule[] | undefined {
  const asked = input.options.resources?.devices ?? [];
  const protection = deviceProtection(input);
  if (protection === "filter") {
    const given = input.host.deviceNodes.map((node): DeviceRule => ({ allow: true, ...node }));
    return [{ allow: false, access: "rwm" }, ...given, ...asked];
  }
  if (asked.length === 0 || protection === "none") return undefined;
  const isRoots = protection === "no nodes";
  throw new BunkerError({
    code: "limit_not_supported",
    operation: "use --device-cgroup-rule",
    reason: isRoots
      ? "rules for devices need a cgroup of v2"
      : "only root can have rules for devices; without them a container has no devices but those of --device, " +
        "because in a user namespace nobody can make others",
    hint: "--device gives the container a device",
  });
}
