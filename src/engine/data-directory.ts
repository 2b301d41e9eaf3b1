import { BunkerError } from "../sys/error.ts";
import { passwordEntry } from "../sys/password-entry.ts";

/**
 * Where Bunker keeps what must survive: `$XDG_DATA_HOME/bunker`, by default `~/.local/share/bunker`; for root
 * `/var/lib/bunker`.
 * @throws BunkerError `no_home_directory`
 */
export function dataDirectory(): string {
  const { XDG_DATA_HOME = "" } = process.env;
  // The XDG specification: relative paths are invalid and to be ignored.
  if (XDG_DATA_HOME.startsWith("/")) return `${XDG_DATA_HOME}/bunker`;
  return process.geteuid?.() === 0 ? "/var/lib/bunker" : `${homeDirectory()}/.local/share/bunker`;
}

/** As os.homedir() has it, which is not worth loading node:os for in every command. */
function homeDirectory(): string {
  const home = process.env["HOME"] || passwordEntry(process.getuid?.() ?? 0)?.home;
  if (home !== undefined && home !== "") return home;
  throw new BunkerError({
    code: "no_home_directory",
    operation: "find the home directory",
    reason: "neither $HOME nor /etc/passwd says where it is",
    hint: "Set HOME.",
  });
}
