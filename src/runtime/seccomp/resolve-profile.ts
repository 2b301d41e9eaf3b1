import type { Architecture } from "../../sys/architecture.ts";
import type { Profile, ProfileCondition, ProfileRule } from "./profile.ts";
import type { Seccomp, SeccompArchitecture, SeccompRule } from "./seccomp.ts";

/** What the rules of a profile may depend on. */
export interface ProfileContext {
  readonly architecture: Architecture;
  /** The bounding set of the container, as `CAP_SYS_ADMIN`. */
  readonly capabilities: readonly string[];
  /** The release of uname(2), of which the first two numbers count: `6.18.44-generic`. */
  readonly kernelVersion: string;
}

const NAMES: Readonly<Record<Architecture, { readonly seccomp: SeccompArchitecture; readonly docker: string }>> = {
  "x86-64": { seccomp: "SCMP_ARCH_X86_64", docker: "amd64" },
  arm64: { seccomp: "SCMP_ARCH_AARCH64", docker: "arm64" },
};

/** The first two numbers of a version, in one that can be compared. */
function versionNumber(version: string): number {
  const [major = 0, minor = 0] = version.split(".", 2).map((part) => Number.parseInt(part, 10) || 0);
  return major * 1000 + minor;
}

function isNewEnough(context: ProfileContext, minKernel: string): boolean {
  return versionNumber(context.kernelVersion) >= versionNumber(minKernel);
}

function isIncluded(condition: ProfileCondition, context: ProfileContext): boolean {
  const { arches = [], caps = [], minKernel } = condition;
  if (arches.length > 0 && !arches.includes(NAMES[context.architecture].docker)) return false;
  if (!caps.every((capability) => context.capabilities.includes(capability))) return false;
  return !minKernel || isNewEnough(context, minKernel);
}

function isExcluded(condition: ProfileCondition, context: ProfileContext): boolean {
  const { arches = [], caps = [], minKernel } = condition;
  if (arches.includes(NAMES[context.architecture].docker)) return true;
  if (caps.some((capability) => context.capabilities.includes(capability))) return true;
  return Boolean(minKernel) && isNewEnough(context, minKernel ?? "");
}

function applies({ includes = {}, excludes = {} }: ProfileRule, context: ProfileContext): boolean {
  return isIncluded(includes, context) && !isExcluded(excludes, context);
}

function withoutConditions({ name, names, action, errnoRet, args }: ProfileRule): SeccompRule {
  return { names: name ? [name] : (names ?? []), action, errnoRet, args };
}

/**
 * Chooses the rules of a profile that hold for a container on a host, as Docker does.
 * @returns `linux.seccomp` for the container's config.json
 */
export function resolveProfile(profile: Profile, context: ProfileContext): Seccomp {
  const { archMap = [], architectures = [], syscalls = [], ...common } = profile;
  const own = archMap.find((entry) => entry.architecture === NAMES[context.architecture].seccomp);
  return {
    ...common,
    architectures: own === undefined ? architectures : [own.architecture, ...(own.subArchitectures ?? [])],
    syscalls: syscalls.filter((rule) => applies(rule, context)).map(withoutConditions),
  };
}
