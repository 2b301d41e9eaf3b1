/*
 * The executable's first code. It decides which program it was called as, hands the words to that program, and turns
 * what comes back into an exit status. Everything else is loaded by the one command that needs it: Bun's own start is
 * most of what `bunker version` costs, and every module that is not loaded keeps it so.
 */
import { readCommandLine } from "./command-line.ts";

async function main(): Promise<number> {
  const { program, words } = readCommandLine();
  if (program === "internal") return (await import("./cli/internal.ts")).internal(words);
  if (program === "slirp4netns") return (await import("./cli/slirp4netns/slirp4netns.ts")).slirp4netns(words);
  const { bunker } = await import("./cli/bunker.ts");
  return bunker.run({
    rawArgs: [...words],
    data: { name: "bunker", summary: "A rootless container engine", globals: undefined },
  });
}

async function fail(error: unknown): Promise<never> {
  const { reportError } = await import("./cli/report-error.ts");
  process.exit(await reportError(error));
}

process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);
// Exits even if something still listens: a command that has returned is done.
main().then((status) => process.exit(status), fail);
