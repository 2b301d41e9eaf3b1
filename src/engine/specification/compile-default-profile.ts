import { compile } from "../../runtime/seccomp/compile.ts";
import { defaultProfile } from "../../runtime/seccomp/default-profile.ts";
import { resolveProfile } from "../../runtime/seccomp/resolve-profile.ts";
import type { Architecture } from "../../sys/architecture.ts";
import { DEFAULT_CAPABILITIES } from "./container-capabilities.ts";

/** A kernel that has all that the default profile asks kernels for. */
const KERNEL_VERSION = "5.11";

/**
 * Compiles Docker's default profile for containers with the default capabilities. It is executed when Bunker is built
 * (as a macro), not when it runs.
 * @returns plain data by architecture: the filter's program in base64, and its flags
 */
export function compileDefaultProfile(): Record<Architecture, { program: string; flags: number }> {
  const compileFor = (architecture: Architecture) => {
    const context = { architecture, capabilities: DEFAULT_CAPABILITIES, kernelVersion: KERNEL_VERSION };
    const { program, flags } = compile(resolveProfile(defaultProfile(), context), architecture);
    return { program: Buffer.from(program).toString("base64"), flags };
  };
  return { "x86-64": compileFor("x86-64"), arm64: compileFor("arm64") };
}
