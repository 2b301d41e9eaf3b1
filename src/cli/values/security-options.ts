import type { SecurityOptions } from "../../engine/specification/run-options.ts";
import type { SecurityOption } from "./security-option.ts";

/** What most containers ask for. */
const NOTHING: SecurityOptions = {
  seccomp: undefined,
  noNewPrivileges: false,
  apparmorProfile: undefined,
  labels: [],
  maskedPaths: [],
  unmaskedPaths: [],
  systemPathsUnconfined: false,
};

/**
 * What all `--security-opt` together come to; of each kind the last one counts, paths add up.
 * @throws BunkerError when the file of a seccomp profile cannot be read
 */
export async function securityOptionsOf(given: readonly SecurityOption[]): Promise<SecurityOptions> {
  if (given.length === 0) return NOTHING;
  const last = <Kind extends SecurityOption["kind"]>(kind: Kind) =>
    given.findLast((option): option is Extract<SecurityOption, { kind: Kind }> => option.kind === kind);
  const paths = (kind: "mask" | "unmask") => given.flatMap((option) => (option.kind === kind ? option.paths : []));
  return {
    seccomp: await seccompOf(last("seccomp")?.profile),
    noNewPrivileges: last("no-new-privileges")?.enabled ?? false,
    apparmorProfile: last("apparmor")?.profile,
    labels: given.flatMap((option) => (option.kind === "label" ? [option.label] : [])),
    maskedPaths: paths("mask"),
    unmaskedPaths: paths("unmask"),
    systemPathsUnconfined: last("systempaths") !== undefined,
  };
}

async function seccompOf(profile: string | undefined): Promise<SecurityOptions["seccomp"]> {
  if (profile === undefined) return undefined;
  if (profile === "unconfined") return { kind: "unconfined" };
  const { readSeccompProfile } = await import("./seccomp-profile-file.ts");
  return { kind: "profile", json: readSeccompProfile(profile) };
}
