import { homeDirectory } from "../sys/home-directory.ts";

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
