import {
  forgetCredentials,
  type LoginPlaces,
  listLogins,
  unforgettableLogin,
} from "../../image/registry/credentials/credential-store.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { warning } from "../messages.ts";
import { flag } from "../option.ts";
import { print } from "../print.ts";
import { reportError } from "../report-error.ts";
import { loginPlaces } from "./login-places.ts";
import { parseLoginName } from "./registry-name.ts";
import { loginFileOptions } from "./registry-options.ts";

const FAILURE_STATUS = 1;

/** `bunker logout`. */
export const logout = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Forget the logins for all registries" }),
      ...loginFileOptions,
    },
    required: [],
    optional: "[SERVER]",
    optionalLimit: 1,
    failureStatus: FAILURE_STATUS,
  },
  async ({ options, operands: [server] }) => {
    const { all } = options;
    if (all && server !== undefined) {
      throw new BunkerError({ code: "unexpected_operand", operation: "--all and a registry exclude each other" });
    }
    const places = loginPlaces(options);
    if (all) return logOutOfAll(places);
    const { name } = parseLoginName(server ?? "docker.io");
    const found = await forgetCredentials(places, name);
    if (found) print(removal(name));
    if (!warnOfRest(places, name) && !found) print(`Not logged in to ${name}`);
    return 0;
  },
);

/** A helper that fails keeps nobody from being logged out of the rest. */
async function logOutOfAll(places: LoginPlaces): Promise<number> {
  const { names, failures } = await listLogins(places);
  const faults = new Map(failures.map((error) => [error.message, error]));
  for (const name of names) {
    try {
      if (await forgetCredentials(places, name)) print(removal(name));
      warnOfRest(places, name);
    } catch (error) {
      if (!(error instanceof BunkerError)) throw error;
      faults.set(error.message, error);
    }
  }
  for (const error of faults.values()) await reportError(error);
  return faults.size === 0 ? 0 : FAILURE_STATUS;
}

/** Tells of a login that stays, for it is in a file that is only read. */
function warnOfRest(places: LoginPlaces, name: string): boolean {
  const file = unforgettableLogin(places, name);
  if (file === undefined) return false;
  warning(`the login for ${name} in ${file} stays: that file is only read`);
  return true;
}

function removal(name: string): string {
  return `Removing login credentials for ${name}`;
}
