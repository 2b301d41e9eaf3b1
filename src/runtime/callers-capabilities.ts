import { allocate } from "../sys/memory.ts";
import { check, SystemCall, systemCall } from "../sys/system-call.ts";
import { CAPABILITY_NAMES, Capability, type CapabilityName } from "./configuration/capabilities.ts";

/** `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h. */
const VERSION_3 = 0x2008_0522;
/** `struct __user_cap_header_struct`: the version, and a pid of which 0 is the caller's. */
const HEADER_SIZE = 8;
/** `struct __user_cap_data_struct`, one for each 32 capabilities: effective, permitted, inheritable. */
const DATA_SIZE = 12;
const PERMITTED = 4;

let permitted: readonly [number, number] | undefined;

/** The permitted capabilities of this process, from 0 and from 32 on; capget(2). */
function permittedSet(): readonly [number, number] {
  if (permitted !== undefined) return permitted;
  const { address, view } = allocate(HEADER_SIZE + 2 * DATA_SIZE);
  view.setUint32(0, VERSION_3, true);
  check(systemCall(SystemCall.capget, address, address + HEADER_SIZE), "read the capabilities of this process");
  const first = HEADER_SIZE + PERMITTED;
  permitted = [view.getUint32(first, true), view.getUint32(first + DATA_SIZE, true)];
  return permitted;
}

/** Whether this process has all of these capabilities where it is. */
export function hasCapabilities(names: readonly CapabilityName[]): boolean {
  const [low, high] = permittedSet();
  return names.every((name) => {
    const number = Capability[name];
    return (((number < 32 ? low : high) >>> (number % 32)) & 1) === 1;
  });
}

/** The capabilities of this process, which are the most that a container in the same user namespace can have. */
export function callersCapabilities(): readonly CapabilityName[] {
  return CAPABILITY_NAMES.filter((name) => hasCapabilities([name]));
}
