/* What of a process's setting follows from its configuration and the host alone. */
import { encodeText } from "../sys/byte-string.ts";
import { BunkerError } from "../sys/error.ts";
import { statusOf, statusThroughLinks } from "../sys/file.ts";
import { AT_FDCWD } from "../sys/open.ts";
import { readIfThere } from "../sys/read-if-there.ts";
import { FileMode, isType } from "../sys/stat.ts";
import type { Process } from "./configuration/configuration.ts";
import type { CompiledFilter } from "./seccomp/compile.ts";
import { impossibleAmbient, unknownCapabilities } from "./steps/process-attributes.ts";

function isThere(path: string): boolean {
  return typeof statusThroughLinks(AT_FDCWD, encodeText(path)) !== "number";
}

/** @throws BunkerError `no_security_module` when a label is asked for that the host has no security module for */
export function checkSecurityModules(process: Pick<Process, "apparmorProfile" | "selinuxLabel">): void {
  const { apparmorProfile = "", selinuxLabel = "" } = process;
  const hasApparmor = () => readIfThere("/sys/module/apparmor/parameters/enabled")?.startsWith("Y") === true;
  const missing =
    apparmorProfile !== "" && !hasApparmor()
      ? { object: apparmorProfile, reason: "AppArmor is not enabled on this host" }
      : selinuxLabel !== "" && !isThere("/sys/fs/selinux/enforce")
        ? { object: selinuxLabel, reason: "SELinux is not enabled on this host" }
        : undefined;
  if (missing !== undefined) {
    throw new BunkerError({ code: "no_security_module", operation: "apply the label", ...missing });
  }
}

/** Where AppArmor's exec attribute is: in its own directory since Linux 5.8. */
function apparmorFile(): "attr/apparmor/exec" | "attr/exec" {
  return isThere("/proc/self/attr/apparmor/exec") ? "attr/apparmor/exec" : "attr/exec";
}

/**
 * The part of a process's setting.
 * @throws BunkerError `no_security_module`
 */
export function processSettingOf(
  process: Process,
  seccomp: CompiledFilter | undefined,
  onWarning: ((message: string) => void) | undefined,
) {
  checkSecurityModules(process);
  const impossible = impossibleAmbient(process.capabilities ?? {});
  if (impossible.length > 0) {
    onWarning?.(`ambient capabilities that are not permitted and inheritable too: ${impossible.join(", ")}`);
  }
  return {
    seccomp: seccomp === undefined ? undefined : { instructions: seccomp.program, flags: seccomp.flags },
    seccompListener: seccomp?.listener !== undefined,
    apparmorFile,
  };
}

/** Warns of names that stand for no capability that is known here, and are left out; config.md, "capabilities". */
export function warnOfUnknownCapabilities({ capabilities = {} }: Process, onWarning: (message: string) => void): void {
  const unknown = unknownCapabilities(capabilities);
  if (unknown.length > 0) onWarning(`capabilities that are not known: ${unknown.join(", ")}`);
}

/** Whether a descriptor is a pipe or a socket, and so was made for whoever reads or writes here. */
export function isPipe(descriptor: number): boolean {
  const status = statusOf(descriptor);
  return typeof status !== "number" && (isType(status, FileMode.fifo) || isType(status, FileMode.socket));
}
