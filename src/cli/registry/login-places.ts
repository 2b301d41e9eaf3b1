import { readRegistriesFiles } from "../../image/registry/configuration/registries-file.ts";
import type { LoginPlaces } from "../../image/registry/credentials/credential-store.ts";
import { BunkerError } from "../../sys/error.ts";
import type { OptionValues } from "../option-table.ts";
import type { loginFileOptions } from "./registry-options.ts";

/**
 * Where `login` and `logout` look for logins, and keep them.
 * @throws BunkerError `conflicting_options`, `invalid_registries_configuration`
 */
export function loginPlaces({ authFile, dockerFile }: OptionValues<typeof loginFileOptions>): LoginPlaces {
  if (authFile !== undefined && dockerFile !== undefined) {
    const operation = "--authfile and --compat-auth-file exclude each other";
    throw new BunkerError({ code: "conflicting_options", operation });
  }
  const helpers = readRegistriesFiles().credentialHelpers;
  return { file: dockerFile ?? authFile, isForDocker: dockerFile !== undefined, helpers };
}
