/*
 * Credential helpers: programs that keep logins in a safe place, `docker-credential-NAME` for the NAME that the user
 * has put into a file of logins. They get a verb as their argument and their question on standard input, and answer
 * in JSON on standard output.
 */
import * as v from "valibot";
import { BunkerError } from "../../../sys/error.ts";
import type { Credentials } from "./credentials.ts";

const answer = v.object({ Username: v.string(), Secret: v.string() });

/** A helper, and who wants it asked. */
export interface CredentialHelper {
  /** `NAME` */
  readonly program: string;
  /** The setting that names it, for messages: `credsStore of /home/me/.docker/config.json`. */
  readonly namedBy: string;
}

/** The user name that says that the secret is an identity token. */
const TOKEN_USER = "<token>";
/** What helpers say, in this very wording, when they have no login for a server. */
const NOT_FOUND = "credentials not found in native keychain";

/**
 * Asks a helper for a login.
 * @param server what the helper knows the registry as
 * @returns undefined when it has none
 * @throws BunkerError `credential_helper_failed`
 */
export async function getFromHelper(helper: CredentialHelper, server: string): Promise<Credentials | undefined> {
  const { status, output, errors } = await call(helper, "get", server);
  if (status !== 0) {
    if (`${output}${errors}`.includes(NOT_FOUND)) return undefined;
    throw failed(helper, "get", output, errors, status);
  }
  let value: unknown;
  try {
    value = JSON.parse(output);
  } catch (cause) {
    throw failed(helper, "get", "its answer is not JSON", "", status, cause);
  }
  const result = v.safeParse(answer, value);
  if (!result.success) throw failed(helper, "get", "its answer has no Username and Secret", "", status);
  const { Username: user, Secret: secret } = result.output;
  if (user === "" && secret === "") return undefined;
  return user === TOKEN_USER ? { kind: "identity-token", token: secret } : { kind: "password", user, password: secret };
}

/**
 * Gives a login to a helper to keep.
 * @throws BunkerError `credential_helper_failed`
 */
export async function storeInHelper(helper: CredentialHelper, server: string, credentials: Credentials): Promise<void> {
  const [user, secret] =
    credentials.kind === "password" ? [credentials.user, credentials.password] : [TOKEN_USER, credentials.token];
  const login = JSON.stringify({ ServerURL: server, Username: user, Secret: secret });
  const { status, output, errors } = await call(helper, "store", login);
  if (status !== 0) throw failed(helper, "store", output, errors, status);
}

/**
 * Has a helper forget a login.
 * @returns whether it had one
 * @throws BunkerError `credential_helper_failed`
 */
export async function eraseFromHelper(helper: CredentialHelper, server: string): Promise<boolean> {
  if ((await getFromHelper(helper, server)) === undefined) return false;
  const { status, output, errors } = await call(helper, "erase", server);
  if (status !== 0) throw failed(helper, "erase", output, errors, status);
  return true;
}

/**
 * Asks a helper which servers it has logins for.
 * @throws BunkerError `credential_helper_failed`
 */
export async function listHelper(helper: CredentialHelper): Promise<readonly string[]> {
  const { status, output, errors } = await call(helper, "list", "");
  if (status !== 0) throw failed(helper, "list", output, errors, status);
  try {
    return Object.keys(v.parse(v.record(v.string(), v.string()), JSON.parse(output)));
  } catch (cause) {
    throw failed(helper, "list", "its answer is not a map of servers to users", "", status, cause);
  }
}

/** A login for a part of a registry, which helpers have nothing for. */
export function noPartsOfRegistry({ program, namedBy }: CredentialHelper, name: string): BunkerError {
  const [registry] = name.split("/");
  return new BunkerError({
    code: "invalid_login",
    operation: "log in to",
    object: name,
    reason: `docker-credential-${program}, which ${namedBy} names, has no logins for parts of a registry`,
    hint: `Log in to all of it: bunker login ${registry}`,
  });
}

async function call(helper: CredentialHelper, verb: string, input: string) {
  const name = `docker-credential-${helper.program}`;
  const path = /^[A-Za-z0-9._-]+$/.test(helper.program) ? Bun.which(name, { PATH: process.env["PATH"] ?? "" }) : null;
  if (path === null) {
    throw new BunkerError({
      code: "credential_helper_failed",
      operation: "run the credential helper",
      object: name,
      reason: "there is no such program in PATH",
      hint: `Install it, or remove it from ${helper.namedBy}.`,
    });
  }
  const child = Bun.spawn([path, verb], { stdin: Buffer.from(input), stdout: "pipe", stderr: "pipe" });
  const [output, errors, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { status, output: output.trim(), errors: errors.trim() };
}

function failed(
  helper: CredentialHelper,
  verb: string,
  output: string,
  errors: string,
  status: number,
  cause?: unknown,
) {
  return new BunkerError(
    {
      code: "credential_helper_failed",
      operation: "run the credential helper",
      object: `docker-credential-${helper.program} ${verb}`,
      reason: output || errors || `it ended with status ${status}`,
    },
    { cause },
  );
}
