import { defineCommand } from "./command.ts";
import { contentTrustUnknown, disableContentTrustOption } from "./image/content-trust-option.ts";
import { platformOf, platformPartOptions } from "./image/platform-option.ts";
import { flag, single, singleOrEmpty } from "./option.ts";
import { print } from "./print.ts";
import { registryOptions, registrySettings, retryOptions } from "./registry/registry-options.ts";
import { oneOf } from "./values/choice.ts";
import { parsePlatform } from "./values/words.ts";

/** `bunker pull`, also `bunker image pull`. */
export const pull = defineCommand(
  {
    options: {
      allTags: flag({ name: "all-tags", short: "a", description: "Pull all images of the repository" }),
      platform: singleOrEmpty({
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
      disableContentTrust: disableContentTrustOption,
      ...platformPartOptions,
      ...registryOptions,
      ...retryOptions,
    },
    required: ["IMAGE"],
    optional: "[IMAGE...]",
  },
  async ({ options, operands }) => {
    const { allTags, disableContentTrust, policy, quiet } = options;
    if (!disableContentTrust) throw contentTrustUnknown("pull", operands.join(" "));
    const { pullForUser } = await import("../engine/images/pull-for-user.ts");
    const { parseLocalPlace } = await import("../image/transport/image-place.ts");
    const { warning } = await import("./messages.ts");
    const { pullHere } = await import("./progress/pull-here.ts");
    const output = quiet ? "name" : "steps";
    const settings = registrySettings(options);
    const wish = { allTags, platform: platformOf(options), output, stream: "stdout", settings } as const;
    for (const name of operands) {
      const place = parseLocalPlace(name);
      // What lies on disk is there to be asked.
      const ownPolicy = place === undefined ? policy : "always";
      const present = await pullForUser({ ...wish, name, place }, ownPolicy, pullHere, warning);
      if (present !== undefined) print(present);
    }
    return 0;
  },
);
