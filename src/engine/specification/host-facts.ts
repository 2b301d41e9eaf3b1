import { isUnified } from "../../cgroup/group.ts";
import { isRootOfHost } from "../../cgroup/root-of-host.ts";
import { callersCapabilities } from "../../runtime/callers-capabilities.ts";
import type { CapabilityName } from "../../runtime/configuration/capabilities.ts";
import { exists, readText } from "../../sys/named-file.ts";
import { accessibleDevices, checkIsDevice, type DeviceNode, deviceNodes } from "./host-devices.ts";
import { thermalThrottlePaths } from "./protected-paths.ts";
import type { RunOptions } from "./run-options.ts";

/** What a container's configuration depends on besides the user's and the image's wishes. */
export interface HostFacts {
  /** Of a container without a UTS namespace of its own; undefined where that is not known. */
  readonly hostname: string | undefined;
  /** Paths of this host to mask besides the fixed ones. */
  readonly maskedPaths: readonly string[];
  /** Devices that a privileged container gets; none for others. */
  readonly devices: readonly string[];
  /** Whether containers in the caller's own user namespace can be kept from devices that they were not given. */
  readonly filtersDevices: boolean;
  /** The nodes behind `--device`, where devices are filtered. */
  readonly deviceNodes: readonly DeviceNode[];
  /** Whether /dev/mqueue is there to be shared with `--ipc host`. */
  readonly hasMessageQueues: boolean;
  /** What the caller may do on this host; of use to containers in the caller's own user namespace only. */
  readonly capabilities: readonly CapabilityName[];
}

/**
 * Looks at the host, as far as these options need it.
 * @throws BunkerError `not_a_device`
 */
export function readHostFacts(options: RunOptions): HostFacts {
  for (const device of options.devices) checkIsDevice(device);
  const filtersDevices = isRootOfHost() && isUnified() && options.cgroups !== "disabled";
  return {
    get hostname() {
      return readText("/proc/sys/kernel/hostname").trim();
    },
    maskedPaths: thermalThrottlePaths(),
    devices: options.privileged ? accessibleDevices() : [],
    filtersDevices,
    deviceNodes: filtersDevices ? options.devices.flatMap(deviceNodes) : [],
    hasMessageQueues: exists("/dev/mqueue"),
    get capabilities() {
      return callersCapabilities();
    },
  };
}
