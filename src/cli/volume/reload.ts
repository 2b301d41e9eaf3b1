import { dataDirectory } from "../../engine/data-directory.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { defineCommand } from "../command.ts";

/**
 * `bunker volume reload`: makes the list of volumes what their drivers say. The only driver has no list but this one, so
 * that after the database was opened there is nothing to add or to remove.
 */
export const reload = defineCommand({ options: {}, required: [] }, () => {
  using _database = openContainers(dataDirectory());
  return 0;
});
