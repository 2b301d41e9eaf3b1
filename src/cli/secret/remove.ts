import { dataDirectory } from "../../engine/data-directory.ts";
import { removeSecret } from "../../engine/secrets/secret-data.ts";
import { findSecret, listSecrets, openSecrets } from "../../engine/state/secrets.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { reportError } from "../report-error.ts";

/** `bunker secret rm`. */
export const remove = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "All secrets" }),
      ignore: flag({ name: "ignore", short: "i", description: "No error for a secret that is not there" }),
    },
    insteadOfFirst: ["all"],
    required: ["SECRET"],
    optional: "[SECRET...]",
    failureStatus: 1,
  },
  async ({ options: { all, ignore }, operands }) => {
    const data = dataDirectory();
    using database = openSecrets(data);
    let status = 0;
    for (const reference of all ? listSecrets(database).map(({ id }) => id) : operands) {
      try {
        const id = removeSecret(database, data, reference);
        if (id !== undefined) print(id);
        // Of all those that were there another command may have removed it since.
        else if (!ignore && !all) findSecret(database, reference);
      } catch (error) {
        await reportError(error);
        status = 1;
      }
    }
    return status;
  },
);
