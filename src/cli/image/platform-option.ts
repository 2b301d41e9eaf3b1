import { formatPlatform, hostPlatform, parsePlatform } from "../../image/platform.ts";
import { BunkerError } from "../../sys/error.ts";
import { list, single, singleOrEmpty } from "../option.ts";
import type { OptionValues } from "../option-table.ts";
import { notEmpty, parsePlatform as parsePlatformOption } from "../values/words.ts";

/** `--platform`, for images that are there for several. */
export const platformOption = singleOrEmpty({
  name: "platform",
  valueName: "PLATFORM",
  description: "Which image, where a name stands for several, such as linux/arm64",
  parse: parsePlatformOption,
});

/** The same for those who take several, separated by commas or one by one. */
export const platformsOption = list({
  name: "platform",
  valueName: "PLATFORM[,PLATFORM]",
  description: "Which images, where a name stands for several, such as linux/amd64,linux/arm64",
  parse: (text) => text.split(",").map((platform) => parsePlatform(parsePlatformOption(platform))),
});

const part = (name: string, valueName: string, description: string) =>
  single({ name, valueName, description, parse: notEmpty("it is empty") });

/** Podman's way to name a platform, part by part. */
export const platformPartOptions = {
  architecture: part("arch", "ARCHITECTURE", "The architecture, as a part of --platform"),
  os: part("os", "OS", "The operating system, as a part of --platform"),
  variant: part("variant", "VARIANT", "The variant of the architecture, as a part of --platform"),
} as const;

/**
 * The platform that options ask for, whole or in parts. What is not said of it is as this machine has it.
 * @returns `OS/ARCHITECTURE[/VARIANT]`; undefined when none was given
 * @throws BunkerError `conflicting_options`, `invalid_platform`
 */
export function platformOf(
  options: OptionValues<typeof platformPartOptions> & { readonly platform: string | undefined },
): string | undefined {
  const { architecture, os, platform, variant } = options;
  if (architecture === undefined && os === undefined && variant === undefined) return platform;
  if (platform !== undefined) {
    throw new BunkerError({
      code: "conflicting_options",
      operation: "--platform and its parts (--arch, --os, --variant) exclude each other",
    });
  }
  const host = hostPlatform();
  const ownVariant = architecture === undefined ? host.variant : undefined;
  return formatPlatform(
    parsePlatform([os ?? host.os, architecture ?? host.architecture, variant ?? ownVariant].filter(Boolean).join("/")),
  );
}
