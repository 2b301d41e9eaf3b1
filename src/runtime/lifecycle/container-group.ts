/** The cgroup of a runtime's container: from the configuration and what the caller says to `cgroup/runtime-group.ts`. */
import { type Resources, resourceFiles } from "../../cgroup/resource-files.ts";
import { isRootOfHost } from "../../cgroup/root-of-host.ts";
import { beginGroup, type GroupRequest, type MadeGroup, missingSupport } from "../../cgroup/runtime-group.ts";
import { unitProperties } from "../../cgroup/systemd/unit-properties.ts";
import type { Configuration } from "../configuration/configuration.ts";
import type { LaunchContainerOptions } from "../launch-container.ts";

/** What the caller says about cgroups. */
export interface CgroupOptions {
  /** Who makes them; undefined for whoever can. */
  readonly manager: "cgroupfs" | "systemd" | "disabled" | undefined;
  /**
   * Whether a container without limits does without one where we have no right to make it; undefined: unless we are root
   * of the host.
   */
  readonly isOptional: boolean | undefined;
}

/**
 * What puts a container into a cgroup while it waits.
 * @param onMade receives the cgroup
 * @param onWarning receives what does not hold without one
 * @returns for `launchContainer`; nothing when there will be none
 * @throws BunkerError when there are limits, and this host has nothing to keep them with
 */
export function groupMaker(
  id: string,
  { linux = {}, annotations = {} }: Configuration,
  { manager, isOptional }: CgroupOptions,
  onMade: (group: MadeGroup) => void,
  onWarning: (message: string) => void,
): Pick<LaunchContainerOptions, "onNamespaces" | "beforeGoingOn" | "changesCgroup"> {
  const { resources = {}, cgroupsPath = "" } = linux;
  const warn = (reason: string) => {
    const unkept = new Set(resourceFiles(resources).map(({ name }) => name));
    if ((withObeyedRules(resources, linux).devices ?? []).length > 0) unkept.add("device rules");
    if (unkept.size > 0) onWarning(`resource limits are not applied: ${reason} (${[...unkept].join(", ")})`);
    else if (cgroupsPath !== "") onWarning(`linux.cgroupsPath has no effect: ${reason}`);
  };
  if (manager === "disabled") {
    warn("control groups are disabled by --cgroup-manager");
    return {};
  }
  const request: GroupRequest = {
    id,
    cgroupsPath,
    manager,
    resources: withObeyedRules(resources, linux),
    isOptional: isOptional ?? !isRootOfHost(),
    properties: unitProperties(annotations),
  };
  const missing = missingSupport(request);
  if (missing !== undefined) {
    warn(missing);
    return {};
  }
  let settle: ReturnType<typeof beginGroup> | undefined;
  return {
    changesCgroup: true,
    onNamespaces: (_, { container }) => {
      settle = beginGroup(request, container);
    },
    beforeGoingOn: () => {
      const made = settle?.();
      if (made === undefined) return;
      if ("missing" in made) warn(made.missing);
      else onMade(made);
    },
  };
}

/** Limits without the rules for devices that cannot be obeyed, or do not matter: in a user namespace nobody makes nodes. */
export function withObeyedRules(
  resources: Resources,
  { namespaces = [] }: NonNullable<Configuration["linux"]>,
): Resources {
  const obeys = isRootOfHost() && !namespaces.some(({ type }) => type === "user");
  return obeys ? resources : { ...resources, devices: undefined };
}
