import { ownCommand } from "../sys/own-command.ts";

/**
 * What starts `bunker internal …`, for `Bun.spawn`: the very program that runs here, also when its file has been replaced
 * or removed since.
 */
export function internalCommand(words: readonly string[]): { readonly cmd: string[]; readonly argv0: string } {
  const [name = "", ...script] = ownCommand();
  return { cmd: ["/proc/self/exe", ...script, "internal", ...words], argv0: name };
}
