import { release } from "node:os";
import { defaultProfile } from "../../runtime/seccomp/default-profile.ts";
import { parseProfile } from "../../runtime/seccomp/profile.ts";
import { resolveProfile } from "../../runtime/seccomp/resolve-profile.ts";
import { hostArchitecture } from "../../sys/architecture.ts";
import type { ContainerInput } from "./container-input.ts";

/**
 * Spells out a seccomp profile in the form of Docker's for this host; the default one where there is none.
 * @throws BunkerError when it is malformed
 */
export const resolveSeccomp: ContainerInput["resolveSeccomp"] = (profileJson, capabilities) =>
  resolveProfile(profileJson === undefined ? defaultProfile() : parseProfile(profileJson), {
    architecture: hostArchitecture(),
    capabilities,
    kernelVersion: release(),
  });
