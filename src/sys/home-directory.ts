import { BunkerError } from "./error.ts";
import { passwordEntry } from "./password-entry.ts";

/**
 * The calling user's home directory, as os.homedir() has it, which is not worth loading node:os for in every command.
 * @throws BunkerError `no_home_directory`
 */
export function homeDirectory(): string {
  const home = knownHomeDirectory();
  if (home !== undefined) return home;
  throw new BunkerError({
    code: "no_home_directory",
    operation: "find the home directory",
    reason: "neither $HOME nor /etc/passwd says where it is",
    hint: "Set HOME.",
  });
}

/** The same, undefined when nobody knows. */
export function knownHomeDirectory(): string | undefined {
  return process.env["HOME"] || passwordEntry(process.getuid?.() ?? 0)?.home || undefined;
}
