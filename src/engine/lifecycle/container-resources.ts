/** How a container is kept to its limits: by a cgroup, or without one by its supervisor as well as that can be. */

import { planContainerGroup } from "../../cgroup/group-plan.ts";
import { resourceFiles } from "../../cgroup/resource-files.ts";
import { hasSoftLimits, type SoftLimits, softLimits } from "../../cgroup/soft-limits.ts";
import type { Configuration, Process } from "../../runtime/configuration/configuration.ts";
import type { ContainerPids } from "../../runtime/launch-container.ts";
import { BunkerError } from "../../sys/error.ts";
import { kernelRelease } from "../../sys/kernel-release.ts";
import { AUTOSTART_UNIT } from "../autostart/autostart-unit.ts";
import type { ContainerDefinition } from "../state/container-definition.ts";

/** What keeps a container to its limits. */
export interface ContainerResources {
  /** Makes its cgroup while it waits; what it returns ends that, and returns the path. Undefined without a cgroup. */
  readonly beginGroup: ((pids: ContainerPids) => () => string | undefined) | undefined;
  /** The path of its cgroup where that will be made by hand. */
  readonly groupByHand: string | undefined;
  /** Whether the cgroup limits its memory. */
  readonly limitsMemory: boolean;
  /** What its supervisor is to watch. */
  readonly soft: SoftLimits | undefined;
  /** The process with resource limits that support the supervisor. */
  readonly process: Process | undefined;
}

/**
 * Finds out how a container will be kept to its limits.
 * @param onUnkept receives what will not be kept, where the user has said that that is all right
 * @throws BunkerError `no_cgroup` when they cannot be kept, `limit_not_supported`
 */
export async function containerResources(
  id: string,
  { cgroups }: Pick<ContainerDefinition, "cgroups">,
  { linux = {}, process }: Configuration,
  onUnkept: ((message: string) => void) | undefined,
): Promise<ContainerResources> {
  const { resources = {} } = linux;
  const plan = planContainerGroup(cgroups, AUTOSTART_UNIT);
  if (plan.kind !== "missing") {
    // The conversation with systemd is code that others have no need of.
    const { beginContainerGroup, groupByHand } = await import("../../cgroup/container-group.ts");
    const isWished = cgroups.isNeeded === true || cgroups.parent !== undefined || cgroups.mode === "split";
    const request = { id, plan, resources, isWished };
    const beginGroup = ({ container, supervisor }: ContainerPids) => {
      if (supervisor === undefined) throw new Error("a container of the engine has a supervisor");
      return beginContainerGroup(request, { container, supervisor });
    };
    const limitsMemory = resourceFiles(resources).some(({ name }) => name.startsWith("memory."));
    return { beginGroup, groupByHand: groupByHand(request), limitsMemory, soft: undefined, process };
  }
  const { soft, unkept } = softLimits(resources);
  if (unkept.length > 0) {
    if (cgroups.mode !== "disabled") {
      throw new BunkerError({
        code: "no_cgroup",
        operation: "limit the container's resources",
        object: unkept.join(", "),
        reason: `only a cgroup can do that, and there is none to be had: ${plan.reason}`,
        hint:
          "bunker doctor says what a user needs to have one; --memory, --cpus and --pids-limit are kept without" +
          (onUnkept === undefined ? "" : "; --cgroups=disabled starts the container without the other limits"),
      });
    }
    onUnkept?.(`limits are not kept without a cgroup: ${unkept.join(", ")}`);
  }
  const none = { beginGroup: undefined, groupByHand: undefined, limitsMemory: false };
  if (!hasSoftLimits(soft)) return { ...none, soft: undefined, process };
  return {
    ...none,
    soft,
    process: process && withProcessLimit(process, linux, soft),
  };
}

/** Since Linux 5.14 a user's processes are counted in each user namespace by themselves; before, all of the host's. */
function withProcessLimit(
  process: Process,
  { namespaces = [] }: NonNullable<Configuration["linux"]>,
  { processes }: SoftLimits,
): Process {
  const [major = 0, minor = 0] = kernelRelease().split(".").map(Number);
  const isCountedApart =
    (major > 5 || (major === 5 && minor >= 14)) &&
    namespaces.some(({ type, path = "" }) => type === "user" && path === "");
  const { rlimits = [] } = process;
  if (processes === undefined || !isCountedApart || rlimits.some(({ type }) => type === "RLIMIT_NPROC")) return process;
  return { ...process, rlimits: [...rlimits, { type: "RLIMIT_NPROC", soft: processes, hard: processes }] };
}
