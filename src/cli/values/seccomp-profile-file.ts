import { readFileSync } from "node:fs";
import { fileReadError } from "./file-read-error.ts";

/**
 * Reads the file of `--security-opt seccomp=FILE`.
 * @returns its text; what it means is for the engine to see
 * @throws BunkerError seccomp_profile_unreadable
 */
export function readSeccompProfile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw fileReadError("seccomp_profile_unreadable", "read the seccomp profile", path, error);
  }
}
