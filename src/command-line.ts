/** What the executable was called as, and with which words. */

// As the OCI runtime of another engine, Bunker is configured by a path alone: a link with this name.
const RUNTIME_NAME = "bunker-runtime";
// As the network of another engine's containers too.
const NETWORK_NAME = "slirp4netns";

/** One of the programs that the executable is, and the words for it. */
export interface CommandLine {
  /** `internal`: what Bunker tells itself to do. */
  readonly program: "bunker" | "internal" | "slirp4netns";
  readonly words: readonly string[];
}

/** Tells by the name that the executable was called by, and by its first word, which program it is to be. */
export function readCommandLine(): CommandLine {
  // In a compiled executable argv[0] and argv[1] are Bun's; the name it was called by is only in argv0.
  const calledAs = process.argv0.slice(process.argv0.lastIndexOf("/") + 1);
  const words = process.argv.slice(2);
  if (words[0] === "internal") return { program: "internal", words: words.slice(1) };
  if (calledAs === NETWORK_NAME) return { program: "slirp4netns", words };
  return { program: "bunker", words: calledAs === RUNTIME_NAME ? ["runtime", ...words] : words };
}
