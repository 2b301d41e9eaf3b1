import { type Command, defineCommand } from "./command.ts";
import { confirm } from "./confirm.ts";
import { pruneFilter, pruneFilterOption } from "./filters/prune-filter.ts";
import { flag } from "./option.ts";

/**
 * A `prune` command of what has labels and an age.
 * @param what is asked about: `network prune`
 * @param warning of what is removed, in whole lines
 * @param prune removes all that fits, and says what that was
 */
export function definePrune(
  what: string,
  warning: string,
  prune: (fits: ReturnType<typeof pruneFilter>) => void,
): Command {
  return defineCommand(
    {
      options: { filters: pruneFilterOption, force: flag({ name: "force", short: "f", description: "Do not ask" }) },
      required: [],
      failureStatus: 1,
    },
    async ({ options: { filters, force } }) => {
      const fits = pruneFilter(filters, Date.now());
      if (!force) await confirm(`WARNING! This will remove ${warning}.`, what);
      prune(fits);
      return 0;
    },
  );
}
