import { BunkerError } from "../sys/error.ts";
import { defineCommand } from "./command.ts";
import { flag, single } from "./option.ts";
import { registryOptions, registrySettings } from "./registry/registry-options.ts";
import { oneOf } from "./values/choice.ts";
import { parsePlatform } from "./values/words.ts";

/** `bunker pull`, also `bunker image pull`. */
export const pull = defineCommand(
  {
    options: {
      allTags: flag({ name: "all-tags", short: "a", description: "Pull all images of the repository" }),
      platform: single({
        name: "platform",
        valueName: "OS/ARCHITECTURE[/VARIANT]",
        description: "Of an image for several platforms, pull the one for this",
        parse: parsePlatform,
      }),
      quiet: flag({ name: "quiet", short: "q", description: "Print only the names of what was pulled" }),
      policy: single({
        name: "policy",
        valueName: "always|missing|newer|never",
        description: "When to ask the registry",
        parse: oneOf("always", "missing", "newer", "never"),
        initial: "always",
        initialText: "always",
      }),
      disableContentTrust: flag({
        name: "disable-content-trust",
        initial: true,
        description: "Pull without Docker Content Trust; there is nothing else",
      }),
      ...registryOptions,
    },
    required: ["IMAGE"],
  },
  async ({ options, operands: [name] }) => {
    const { allTags, disableContentTrust, platform, policy, quiet } = options;
    if (!disableContentTrust) {
      throw new BunkerError({
        code: "not_supported",
        operation: "pull",
        object: name,
        reason: "Bunker does not know Docker Content Trust, whose servers have been shut down",
        hint: "Leave --disable-content-trust=false out; a name with a digest (NAME@sha256:…) cannot be tampered with.",
      });
    }
    const { pullForUser } = await import("../engine/pull-for-user.ts");
    const { warning } = await import("./messages.ts");
    const { pullHere } = await import("./progress/pull-here.ts");
    const settings = registrySettings(options);
    const output = quiet ? "name" : "steps";
    await pullForUser({ name, allTags, platform, output, stream: "stdout", settings }, policy, pullHere, warning);
    return 0;
  },
);
