import { dataDirectory } from "../../engine/data-directory.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { lookUpVolume } from "../../engine/state/volumes.ts";
import { defineCommand } from "../command.ts";

/** `bunker volume exists`. */
export const exists = defineCommand({ options: {}, required: ["VOLUME"] }, ({ operands: [name] }) => {
  using database = openContainers(dataDirectory());
  return lookUpVolume(database, name) === undefined ? 1 : 0;
});
