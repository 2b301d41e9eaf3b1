/** The options of all commands that talk to registries; Podman's names, which Docker shares where it has them. */
import type { Credentials } from "../../image/registry/credentials/credentials.ts";
import type { RegistrySettings } from "../../image/registry/registry-settings.ts";
import { InvalidValue } from "../invalid-value.ts";
import { flag, type Option, single } from "../option.ts";
import type { OptionValues } from "../option-table.ts";
import { parseDuration } from "../values/duration.ts";
import { integerBetween } from "../values/numbers.ts";

/** `--tls-verify`: undefined unless given, for then the configuration and the registry's host decide. */
const tlsVerify: Option<boolean, boolean | undefined> = {
  ...flag({ name: "tls-verify", description: "Verify the registry's certificate; false also allows plain HTTP" }),
  collect: (values) => values.at(-1),
};

/** Which registry to trust, and where logins are. */
export const connectionOptions = {
  authFile: single({
    name: "authfile",
    valueName: "FILE",
    description: "The only file to read and keep logins in",
    parse: notEmpty,
  }),
  certificateDirectory: single({
    name: "cert-dir",
    valueName: "DIRECTORY",
    description: "Certificates for the registry: *.crt of authorities, *.cert and *.key of the client",
    parse: notEmpty,
  }),
  tlsVerify,
} as const;

/** The same with a login on the command line. */
export const registryOptions = {
  ...connectionOptions,
  credentials: single({
    name: "creds",
    valueName: "USER:PASSWORD",
    description: "The login for the registry, instead of the one that is kept",
    parse: parseCredentials,
  }),
} as const;

/** Which file has the logins, for those who change it; Podman's options. */
export const loginFileOptions = {
  authFile: connectionOptions.authFile,
  dockerFile: {
    ...connectionOptions.authFile,
    name: "compat-auth-file",
    description: "The same, where the file is for Docker",
  },
} as const;

/** How often, and when, to ask again after failures that may pass; Podman's names. */
export const retryOptions = {
  retries: single({
    name: "retry",
    valueName: "N",
    description: "How often to ask again when the connection or the registry fails (Default: 4)",
    parse: integerBetween(0, 1000),
  }),
  retryDelay: single({
    name: "retry-delay",
    valueName: "DURATION",
    description: "How long to wait before asking again, such as 5s (Default: 500ms, and ever longer)",
    parse: parseDuration,
  }),
} as const;

/** What the options say, for the client. */
export function registrySettings(
  options: OptionValues<typeof connectionOptions> & Partial<OptionValues<typeof registryOptions & typeof retryOptions>>,
): RegistrySettings {
  const { authFile, certificateDirectory, credentials, retries, retryDelay, tlsVerify } = options;
  return { authFile, certificateDirectory, credentials, retries, retryDelay, tlsVerify };
}

/** Reads `USER:PASSWORD`. */
export function parseCredentials(text: string): Credentials {
  const colon = text.indexOf(":");
  if (colon < 1 || colon === text.length - 1) throw new InvalidValue("expected USER:PASSWORD");
  return { kind: "password", user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function notEmpty(text: string): string {
  if (text === "") throw new InvalidValue("expected a path");
  return text;
}
