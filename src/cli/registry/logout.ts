import { forgetCredentials, listLogins } from "../../image/registry/credentials/credential-store.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../option.ts";
import { parseLoginName } from "./registry-name.ts";
import { connectionOptions } from "./registry-options.ts";

/** `bunker logout`. */
export const logout = defineCommand(
  {
    options: {
      all: flag({ name: "all", short: "a", description: "Forget the logins for all registries" }),
      authFile: connectionOptions.authFile,
    },
    required: [],
    optional: "[SERVER]",
    optionalLimit: 1,
    failureStatus: 1,
  },
  async ({ options: { all, authFile }, operands: [server] }) => {
    if (all && server !== undefined) {
      throw new BunkerError({ code: "unexpected_operand", operation: "--all and a registry exclude each other" });
    }
    const names = all ? await listLogins(authFile) : [parseLoginName(server ?? "docker.io").name];
    for (const name of names) {
      const found = await forgetCredentials(authFile, name);
      console.log(found ? `Removing login credentials for ${name}` : `Not logged in to ${name}`);
    }
    return 0;
  },
);
