import { hostArchitecture } from "../../sys/architecture.ts";
import type { EnteredConfiguration } from "../configuration/configuration.ts";
import { type CompiledFilter, compile } from "./compile.ts";

/**
 * Compiles the filter of a configuration and reports what in it has no effect. Whoever rarely needs it should import it
 * where it is needed: the compiler with its tables is a twentieth of what a start loads.
 */
export function filterOf(
  configuration: EnteredConfiguration,
  onWarning: ((message: string) => void) | undefined,
): CompiledFilter | undefined {
  const seccomp = configuration.linux?.seccomp;
  if (seccomp === undefined) return undefined;
  const filter = compile(seccomp, hostArchitecture());
  for (const warning of filter.warnings) {
    onWarning?.(
      warning.kind === "unknown-system-calls"
        ? `seccomp: system calls unknown on this architecture: ${warning.names.join(", ")}`
        : `seccomp: flag ${warning.flag} has no effect without SCMP_ACT_NOTIFY`,
    );
  }
  return filter;
}
