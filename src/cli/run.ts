import type { PullHere } from "../engine/pull-for-user.ts";
import type { MountRequest, RunOptions, SecurityOptions } from "../engine/run-options.ts";
import { type ImageSource, parseImageSource } from "../image/image-source.ts";
import { BunkerError } from "../sys/error.ts";
import { defineCommand } from "./command.ts";
import type { OptionValues } from "./option-table.ts";
import { runOptionsTable } from "./run-options-table.ts";
import { parseRootfs } from "./values/rootfs-operand.ts";
import type { SecurityOption } from "./values/security-option.ts";

type RunOptionValues = OptionValues<typeof runOptionsTable>;

/** `bunker run`. */
export const run = defineCommand(
  {
    options: runOptionsTable,
    required: ["IMAGE"],
    optional: "[COMMAND] [ARG...]",
    stopAtFirstOperand: true,
  },
  async ({ options, operands: [operand, ...command] }) => {
    const image = options.rootfs ? parseRootfs(operand) : parseImageSource(operand);
    const request = await runOptionsOf(options, image, command);
    const { runContainer } = await import("../engine/run.ts");
    const { warning } = await import("./messages.ts");
    const pullHere: PullHere = async (pull) => (await import("./progress/pull-here.ts")).pullHere(pull);
    return runContainer(request, warning, pullHere);
  },
);

/**
 * Puts together what was asked for, with the files that options name read in.
 * @param options as given on the command line
 * @param image where the root file system comes from
 * @param command the words behind the image
 * @throws BunkerError when a file cannot be read or two mounts have one destination
 */
export async function runOptionsOf(
  options: RunOptionValues,
  image: ImageSource,
  command: readonly string[],
): Promise<RunOptions> {
  const { entrypoint, environment, environmentFiles, rootfs, security, sysctls, tmpfsMounts, volumes, ...rest } =
    options;
  const mounts = [...volumes, ...options.mounts, ...tmpfsMounts];
  checkDestinations(mounts);
  return {
    ...rest,
    image,
    command,
    entrypoint: entrypoint === undefined ? undefined : [entrypoint].filter((word) => word !== ""),
    environment: [
      ...(await readEnvironmentFiles(environmentFiles)),
      ...environment.filter((entry) => entry !== undefined),
    ],
    mounts,
    security: await securityOptionsOf(security),
    resourceLimits: [...new Map(options.resourceLimits.map((limit) => [limit.type, limit])).values()],
    sysctls: Object.fromEntries(sysctls),
  };
}

async function readEnvironmentFiles(paths: readonly string[]): Promise<readonly string[]> {
  if (paths.length === 0) return [];
  const { readEnvironmentFile } = await import("./values/environment-file.ts");
  return paths.flatMap(readEnvironmentFile);
}

async function securityOptionsOf(given: readonly SecurityOption[]): Promise<SecurityOptions> {
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
  const { readSeccompProfile } = await import("./values/seccomp-profile-file.ts");
  return { kind: "profile", json: readSeccompProfile(profile) };
}

function checkDestinations(mounts: readonly MountRequest[]): void {
  const seen = new Set<string>();
  for (const { destination } of mounts) {
    if (seen.has(destination)) {
      throw new BunkerError({ code: "duplicate_mount", operation: `two mounts have the destination ${destination}` });
    }
    seen.add(destination);
  }
}
