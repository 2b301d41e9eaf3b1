/** Who `bunker copy` is to the registry at each end; skopeo's options. */
import type { Credentials } from "../../image/registry/credentials/credentials.ts";
import type { RegistrySettings } from "../../image/registry/registry-settings.ts";
import { BunkerError } from "../../sys/error.ts";
import { flag, single } from "../option.ts";
import { parseCredentials } from "../registry/registry-options.ts";
import { notEmpty } from "../values/words.ts";

export const sourceLoginOptions = {
  sourceCredentials: credentialsOption("src-creds", "source"),
  sourceUser: userOption("src-username", "source"),
  sourcePassword: passwordOption("src-password", "source"),
  sourceWithoutLogin: withoutLoginOption("src-no-creds", "source"),
} as const;

export const destinationLoginOptions = {
  destinationCredentials: credentialsOption("dest-creds", "destination"),
  destinationUser: userOption("dest-username", "destination"),
  destinationPassword: passwordOption("dest-password", "destination"),
  destinationWithoutLogin: withoutLoginOption("dest-no-creds", "destination"),
} as const;

/** What was given for one end. */
interface GivenLogin {
  readonly credentials: Credentials | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly withoutLogin: boolean;
}

/**
 * What they come to; where nothing is given, the login that is kept counts.
 * @param prefix of the options of this end
 * @throws BunkerError `conflicting_options`
 */
export function loginOf(
  prefix: "src" | "dest",
  { credentials, user, password, withoutLogin }: GivenLogin,
): Pick<RegistrySettings, "credentials" | "withoutLogin"> {
  const ways = [credentials !== undefined, user !== undefined || password !== undefined, withoutLogin];
  if (ways.filter(Boolean).length > 1) {
    const operation = `--${prefix}-creds, --${prefix}-username and --${prefix}-no-creds exclude each other`;
    throw new BunkerError({ code: "conflicting_options", operation });
  }
  if (user === undefined && password === undefined) return { credentials, withoutLogin };
  if (user !== undefined && password !== undefined) return { credentials: { kind: "password", user, password } };
  const operation = `--${prefix}-username and --${prefix}-password need each other`;
  throw new BunkerError({ code: "conflicting_options", operation });
}

function credentialsOption(name: string, side: string) {
  return single({
    name,
    valueName: "USER:PASSWORD",
    description: `The login for the ${side}'s registry, instead of the one that is kept`,
    parse: parseCredentials,
  });
}

function userOption(name: string, side: string) {
  const description = `The user name of that login for the ${side}`;
  return single({ name, valueName: "USER", description, parse: notEmpty("expected a user name") });
}

function passwordOption(name: string, side: string) {
  const description = `The password of that login for the ${side}; other users of the machine can see it`;
  return single({ name, valueName: "PASSWORD", description, parse: notEmpty("expected a password") });
}

function withoutLoginOption(name: string, side: string) {
  return flag({ name, description: `Use no login for the ${side}'s registry, also where one is kept` });
}
