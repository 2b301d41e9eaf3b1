import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { formatConfiguration } from "../../runtime/configuration/configuration.ts";
import { exampleConfiguration } from "../../runtime/example-configuration.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { flag, single } from "../option.ts";

/** `bunker runtime spec`. */
export const spec = defineCommand(
  {
    options: {
      bundle: single({
        name: "bundle",
        short: "b",
        valueName: "DIR",
        description: "Where the configuration is written",
        parse: (text) => text,
        initial: ".",
        initialText: "the current directory",
      }),
      file: single({
        name: "file",
        short: "f",
        valueName: "FILE",
        description: "The file to write, from that directory",
        parse: (text) => text,
        initial: "config.json",
        initialText: "config.json",
      }),
      rootless: flag({ name: "rootless", description: "For a container in a user namespace of the caller's" }),
    },
    required: [],
  },
  ({ options }) => {
    const path = resolve(options.bundle, options.file);
    const caller = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
    const text = formatConfiguration(exampleConfiguration(options.rootless ? caller : undefined));
    try {
      // Never over a configuration that is there.
      writeFileSync(path, `${text}\n`, { flag: "wx", mode: 0o666 });
    } catch (error) {
      throw new BunkerError({ code: "spec_unwritable", operation: "write", object: path, errno: errnoOf(error) });
    }
    return 0;
  },
);
