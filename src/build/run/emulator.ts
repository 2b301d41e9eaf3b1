import { readdirSync } from "node:fs";
import type { Platform } from "../../image/platform.ts";
import { readIfThere } from "../../sys/read-if-there.ts";

const DIRECTORY = "/proc/sys/fs/binfmt_misc";
/** QEMU's names of architectures, where they are not Go's. */
const names: Readonly<Record<string, string>> = {
  amd64: "x86_64",
  "386": "i386",
  arm64: "aarch64",
  mips64le: "mips64el",
};

/** What QEMU calls the architecture of a platform. */
export function emulatorName({ architecture }: Platform): string {
  return Object.hasOwn(names, architecture) ? (names[architecture] ?? architecture) : architecture;
}

/** Whether the kernel has an emulator for the programs of a platform: binfmt_misc, an enabled entry `qemu-…`. */
export function hasEmulator(platform: Platform): boolean {
  const name = `qemu-${emulatorName(platform)}`;
  return entries().some((entry) => entry === name && readIfThere(`${DIRECTORY}/${entry}`)?.startsWith("enabled"));
}

function entries(): readonly string[] {
  try {
    return readdirSync(DIRECTORY);
  } catch {
    // Nobody has mounted it.
    return [];
  }
}
