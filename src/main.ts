/*
 * The executable's first code. It decides which program it was called as, hands the words to that program, and turns
 * what comes back into an exit status. Everything else is loaded by the one command that needs it: Bun's own start is
 * most of what `bunker version` costs, and every module that is not loaded keeps it so.
 */
// As the OCI runtime of another engine, Bunker is configured by a path alone: a link with this name.
const RUNTIME_NAME = "bunker-runtime";
// As the network of another engine's containers too.
const NETWORK_NAME = "slirp4netns";

async function main(): Promise<number> {
  // In a compiled executable argv[0] and argv[1] are Bun's; the name it was called by is only in argv0.
  const calledAs = process.argv0.slice(process.argv0.lastIndexOf("/") + 1);
  const words = process.argv.slice(2);
  if (words[0] === "internal") return (await import("./cli/internal.ts")).internal(words.slice(1));
  if (calledAs === NETWORK_NAME) return (await import("./cli/slirp4netns/slirp4netns.ts")).slirp4netns(words);
  const { bunker } = await import("./cli/bunker.ts");
  return bunker.run({
    rawArgs: calledAs === RUNTIME_NAME ? ["runtime", ...words] : words,
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
