import { BunkerError } from "../../sys/error.ts";
import type { ImageConfiguration } from "./image-configuration.ts";
import type { EnvironmentRules, RunOptions } from "./run-options.ts";

export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * The words of the container's process. An entry point of the user's (even an empty one) replaces the image's entry
 * point and command; words after the image replace the image's command alone.
 * @throws BunkerError `no_command` when nothing is left to run
 */
export function containerArguments(
  options: Pick<RunOptions, "command" | "entrypoint">,
  image: ImageConfiguration,
): readonly string[] {
  const entrypoint = options.entrypoint ?? image.entrypoint ?? [];
  const imageCommand = options.entrypoint === undefined ? (image.command ?? []) : [];
  const words = [...entrypoint, ...(options.command.length > 0 ? options.command : imageCommand)];
  if (words.length === 0) {
    throw new BunkerError({
      code: "no_command",
      operation: "no command specified",
      hint: "Name a program after the image: this one has neither an entry point nor a command of its own.",
    });
  }
  return words;
}

const NO_RULES: EnvironmentRules = { host: [], merged: [], unset: [] };

/** What the environment takes from elsewhere than the user and the image. */
export interface EnvironmentDefaults {
  /** undefined: HOSTNAME is not set. */
  readonly hostname: string | undefined;
  readonly terminal: boolean;
  readonly home: string;
}

/**
 * The environment of the container's process: each name once. The user's entries come before the image's, those before
 * the defaults; of several entries with one name the last one counts. An entry without `=` takes the name away.
 * HOME is the user's home directory where nobody gave it a value.
 * @param rules of Podman's, about what is not the user's
 */
export function containerEnvironment(
  user: readonly string[],
  image: readonly string[],
  { hostname, terminal, home }: EnvironmentDefaults,
  { host, merged, unset }: EnvironmentRules = NO_RULES,
): readonly string[] {
  const variables = new Map([["PATH", DEFAULT_PATH]]);
  if (hostname !== undefined) variables.set("HOSTNAME", hostname);
  if (terminal) variables.set("TERM", "xterm");
  const take = (entries: readonly string[]) => {
    for (const entry of entries) {
      const separator = entry.indexOf("=");
      if (separator < 0) variables.delete(entry);
      else if (separator > 0) variables.set(entry.slice(0, separator), entry.slice(separator + 1));
    }
  };
  take([...host, ...image]);
  const before = new Map(variables);
  for (const [name, value] of merged) {
    variables.set(
      name,
      value.replace(/\$\{(\w+)\}|\$(\w+)/g, (_, one, other) => before.get(one ?? other) ?? ""),
    );
  }
  if (unset === "all") variables.clear();
  else for (const name of unset) variables.delete(name);
  take(user);
  if ((variables.get("HOME") ?? "") === "") variables.set("HOME", home);
  return [...variables].map(([name, value]) => `${name}=${value}`);
}
