import { hostArchitecture } from "../sys/architecture.ts";
import { BunkerError } from "../sys/error.ts";

/** What an image is made for, in the words of Go (GOOS and GOARCH). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string | undefined;
}

/** The platform of this machine. */
export function hostPlatform(): Platform {
  return hostArchitecture() === "x86-64"
    ? { os: "linux", architecture: "amd64", variant: undefined }
    : { os: "linux", architecture: "arm64", variant: "v8" };
}

/** Other names in use, with the variant that they imply. */
const architectures: Readonly<Record<string, { architecture: string; variant?: string }>> = {
  x86_64: { architecture: "amd64" },
  "x86-64": { architecture: "amd64" },
  aarch64: { architecture: "arm64" },
  armhf: { architecture: "arm", variant: "v7" },
  armel: { architecture: "arm", variant: "v6" },
  i386: { architecture: "386" },
  i686: { architecture: "386" },
};

/**
 * Parses `os/architecture[/variant]`, or `architecture` alone for Linux.
 * @throws BunkerError `invalid_platform`
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split("/");
  const [os = "", architecture = "", variant] = parts.length === 1 ? ["linux", ...parts] : parts;
  if (
    parts.length > 3 ||
    [os, architecture, variant].some((part) => part !== undefined && !/^[a-z0-9_.-]+$/.test(part))
  ) {
    throw new BunkerError({
      code: "invalid_platform",
      operation: "read the platform",
      object: JSON.stringify(text),
      reason: "it is not of the form OS/ARCHITECTURE[/VARIANT]",
      hint: "Give for instance linux/amd64 or linux/arm64/v8.",
    });
  }
  const known = Object.hasOwn(architectures, architecture) ? architectures[architecture] : undefined;
  return {
    os,
    architecture: known?.architecture ?? architecture,
    variant: variant ?? known?.variant,
  };
}

/** A platform as `parsePlatform` reads it. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/**
 * How well something offered runs on what is wanted: 0 not at all, and the higher the better. Without a variant an
 * architecture means its oldest usual one, and 32-bit ARM runs what is made for older variants.
 */
export function platformRank(wanted: Platform, offered: Platform): number {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return 0;
  const wantedVariant = impliedVariant(wanted);
  const offeredVariant = impliedVariant(offered);
  if (wantedVariant === offeredVariant) return 100;
  const level = (variant: string) => Number(/^v([0-9]{1,2})$/.exec(variant)?.[1] ?? Number.NaN);
  const below = level(wantedVariant) - level(offeredVariant);
  return wanted.architecture === "arm" && below > 0 ? 100 - below : 0;
}

function impliedVariant({ architecture, variant }: Platform): string {
  if (variant !== undefined && variant !== "") return variant;
  if (architecture === "amd64") return "v1";
  if (architecture === "arm64") return "v8";
  return architecture === "arm" ? "v7" : "";
}

/** Other architectures whose programs a processor runs as well, where it was made for that. */
const included: Readonly<Record<string, string>> = { amd64: "386", arm64: "arm" };

/** Whether this machine is made for the programs of a platform, as far as their architecture tells. */
export function isHostsOwn({ os, architecture }: Platform): boolean {
  const host = hostPlatform();
  return os === host.os && (architecture === host.architecture || architecture === included[host.architecture]);
}
