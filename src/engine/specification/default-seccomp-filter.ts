/*
 * The seccomp filter that nearly every container has: Docker's default profile with the default capabilities. Compiling
 * it takes longer than all else that a start has to compute, so it is compiled when Bunker is built.
 */
import type { CompiledFilter } from "../../runtime/seccomp/compile.ts";
import { hostArchitecture } from "../../sys/architecture.ts";
import { compileDefaultProfile } from "./compile-default-profile.ts" with { type: "macro" };
import type { RunOptions } from "./run-options.ts";

const compiled = compileDefaultProfile();

/** Whether a container's filter is the one that `defaultSeccompFilter` gives. */
export function hasDefaultSeccompFilter(options: RunOptions): boolean {
  return (
    options.security.seccomp === undefined &&
    !options.privileged &&
    options.capabilitiesAdded.length === 0 &&
    options.capabilitiesDropped.length === 0
  );
}

/** The filter of the default profile for the default capabilities. */
export function defaultSeccompFilter(): CompiledFilter {
  const { program, flags } = compiled[hostArchitecture()];
  const instructions = Uint8Array.fromBase64(program);
  return { program: instructions, instructionCount: instructions.length / 8, flags, listener: undefined, warnings: [] };
}
