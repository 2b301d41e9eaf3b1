import { readFileSync } from "node:fs";
import { CAPABILITY_NAMES, Capability, type CapabilityName } from "./configuration/capabilities.ts";

let permitted: bigint | undefined;

/** The permitted capabilities of this process; capabilities(7). */
function permittedSet(): bigint {
  permitted ??= BigInt(`0x${/^CapPrm:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"}`);
  return permitted;
}

/** Whether this process has all of these capabilities where it is. */
export function hasCapabilities(names: readonly CapabilityName[]): boolean {
  return names.every((name) => ((permittedSet() >> BigInt(Capability[name])) & 1n) === 1n);
}

/** The capabilities of this process, which are the most that a container in the same user namespace can have. */
export function callersCapabilities(): readonly CapabilityName[] {
  return CAPABILITY_NAMES.filter((name) => hasCapabilities([name]));
}
