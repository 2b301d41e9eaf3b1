import { readFileSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { type Configuration, parseConfiguration } from "../configuration/configuration.ts";

/** A bundle: a directory with a configuration. */
export interface Bundle {
  /** Absolute and without symbolic links. */
  readonly path: string;
  /** What stands in its config.json. */
  readonly text: string;
  readonly configuration: Configuration;
}

/**
 * Reads a bundle's configuration.
 * @param configurationPath of another file than the bundle's config.json
 * @throws BunkerError when there is no such bundle or its configuration is faulty
 */
export function readBundle(directory: string, configurationPath = resolve(directory, "config.json")): Bundle {
  try {
    const path = realpathSync(directory);
    const text = readFileSync(configurationPath, "utf8");
    return { path, text, configuration: parseConfiguration(text, configurationPath) };
  } catch (error) {
    if (error instanceof BunkerError) throw error;
    throw new BunkerError({
      code: "bundle_unreadable",
      operation: "read the bundle's configuration",
      object: configurationPath,
      errno: errnoOf(error),
      hint: "a bundle is a directory with a config.json; --bundle names it, and spec writes an example",
    });
  }
}
