import { dataDirectory } from "../../engine/data-directory.ts";
import { lookUpSecret, openSecrets } from "../../engine/state/secrets.ts";
import { defineCommand } from "../command.ts";

/** `bunker secret exists`. */
export const exists = defineCommand({ options: {}, required: ["SECRET"] }, ({ operands: [reference] }) => {
  using database = openSecrets(dataDirectory());
  return lookUpSecret(database, reference) === undefined ? 1 : 0;
});
