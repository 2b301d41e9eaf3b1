import { readFileSync } from "node:fs";
import { dataDirectory } from "../../engine/data-directory.ts";
import { readSecret } from "../../engine/secrets/secret-data.ts";
import { openSecrets } from "../../engine/state/secrets.ts";
import { findCredentials, keepCredentials } from "../../image/registry/credentials/credential-store.ts";
import type { Credentials } from "../../image/registry/credentials/credentials.ts";
import { logIn } from "../../image/registry/log-in.ts";
import { BunkerError } from "../../sys/error.ts";
import { isTerminal } from "../../sys/terminal.ts";
import { defineCommand } from "../command.ts";
import { warning } from "../messages.ts";
import { flag, single } from "../option.ts";
import { print } from "../print.ts";
import { loginPlaces } from "./login-places.ts";
import { ask, askSecretly } from "./prompt.ts";
import { parseLoginName } from "./registry-name.ts";
import { connectionOptions, loginFileOptions, registrySettings } from "./registry-options.ts";

const STANDARD_INPUT = 0;
/** 128 + SIGINT */
const INTERRUPTED_STATUS = 130;

/** `bunker login`. */
export const login = defineCommand(
  {
    options: {
      ...connectionOptions,
      ...loginFileOptions,
      getLogin: flag({ name: "get-login", description: "Show who is logged in to the registry" }),
      password: single({
        name: "password",
        short: "p",
        valueName: "PASSWORD",
        description: "The password; other users of the machine can see it",
        parse: (text) => text,
      }),
      passwordStdin: flag({ name: "password-stdin", description: "Read the password from standard input" }),
      secret: single({
        name: "secret",
        valueName: "SECRET",
        description: "Take the password from a secret; the user name is the secret's unless given",
        parse: String,
      }),
      verbose: flag({ name: "verbose", short: "v", description: "Say where the login is kept" }),
      user: single({ name: "username", short: "u", valueName: "USER", description: "The user name", parse: String }),
    },
    required: [],
    optional: "[SERVER]",
    optionalLimit: 1,
    failureStatus: 1,
  },
  async ({ options, operands: [server = "docker.io"] }) => {
    const { registry, name } = parseLoginName(server);
    const settings = registrySettings(options);
    const verify = (credentials: Credentials) => logIn(settings, registry, credentials, warning);
    const places = loginPlaces(options);
    // Where a helper that is to keep logins cannot even be asked, it is told before the password is asked for. An entry
    // that is none is about to be replaced.
    const known = await findCredentials(places, name, (error) => {
      if (options.getLogin || error.code !== "invalid_auth_file") throw error;
    });
    const knownUser = known?.user;
    if (options.getLogin) {
      if (known === undefined) throw new BunkerError({ code: "not_logged_in", operation: `not logged in to ${name}` });
      print(knownUser ?? "<token>");
      return 0;
    }
    const { user, password, passwordStdin, secret } = options;
    const asksForNothing = user === undefined && password === undefined && !passwordStdin && secret === undefined;
    if (known !== undefined && asksForNothing) {
      print("Authenticating with existing credentials...");
      if (await isAccepted(verify(known))) {
        print("Login Succeeded");
        return 0;
      }
      warning(`${registry} does not accept the login that is kept`);
    }
    const credentials = secret === undefined ? readCredentials(options, knownUser) : secretCredentials(options, secret);
    if (credentials === undefined) return INTERRUPTED_STATUS;
    await verify(credentials);
    const { place, isPlain, failures } = await keepCredentials(places, name, credentials);
    for (const { message } of failures) warning(`${message}; the login is kept in ${place} instead`);
    if (isPlain) warning(`the password is kept unencrypted in ${place}; a credential helper would keep it safe`);
    print("Login Succeeded");
    if (options.verbose) print(`Used: ${place}`);
    return 0;
  },
);

async function isAccepted(attempt: Promise<void>): Promise<boolean> {
  try {
    await attempt;
    return true;
  } catch (error) {
    if (error instanceof BunkerError && error.code === "registry_unauthorized") return false;
    throw error;
  }
}

/**
 * The login from the command line, standard input or the terminal.
 * @returns undefined when the user has ended it
 */
function readCredentials(
  given: { readonly user: string | undefined; readonly password: string | undefined; readonly passwordStdin: boolean },
  knownUser: string | undefined,
): Credentials | undefined {
  if (given.password !== undefined) {
    if (given.passwordStdin) throw refusal("--password and --password-stdin exclude each other");
    warning("--password shows the password to other users of this machine; use --password-stdin");
  }
  if (given.passwordStdin) {
    if (given.user === undefined) throw refusal("--password-stdin needs --username");
    return checked(given.user, withoutLineEnd(readFileSync(STANDARD_INPUT, "utf8")));
  }
  if ((given.user === undefined || given.password === undefined) && !isTerminal(STANDARD_INPUT)) {
    throw refusal("there is no terminal to ask for the login", "Give --username and --password-stdin.");
  }
  const suggestion = knownUser === undefined ? "" : ` (${knownUser})`;
  const user = given.user ?? (ask(`Username${suggestion}: `).trim() || (knownUser ?? ""));
  const password = given.password ?? askSecretly("Password: ");
  return password === undefined ? undefined : checked(user, password);
}

/** The login whose password is a secret, as Podman has it. */
function secretCredentials(
  given: { readonly user: string | undefined; readonly password: string | undefined; readonly passwordStdin: boolean },
  name: string,
): Credentials {
  if (given.password !== undefined || given.passwordStdin) {
    throw refusal(`--secret and ${given.passwordStdin ? "--password-stdin" : "--password"} exclude each other`);
  }
  const data = dataDirectory();
  using database = openSecrets(data);
  const { secret, content } = readSecret(database, data, name);
  return checked(given.user ?? secret.name, withoutLineEnd(content.toString("utf8")));
}

/** Files and pipes end with a line end that is no part of the password. */
function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, "");
}

function checked(user: string, password: string): Credentials {
  if (user === "") throw refusal("the user name is missing");
  if (user.includes(":")) throw refusal("a user name has no colon");
  if (password === "") throw refusal("the password is missing");
  return { kind: "password", user, password };
}

function refusal(reason: string, hint?: string): BunkerError {
  return new BunkerError({ code: "invalid_login", operation: "log in", reason, hint });
}
