/*
 * The files that logins are kept in: containers-auth.json(5) and Docker's config.json, which have the same form. They
 * belong to other programs as well, so what is not about the registry at hand is kept as it is. A file is written aside
 * and renamed; who changes one holds a lock on its directory, so that of two logins at once none is lost. What is wrong
 * with an entry is its registry's matter alone.
 */
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import * as v from "valibot";
import { Errno } from "../../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../../sys/error.ts";
import { Lock, lock } from "../../../sys/file.ts";
import { check } from "../../../sys/system-call.ts";
import { openDirectory } from "../../layers/store-lock.ts";
import type { Credentials } from "./credentials.ts";

const text = v.nullish(v.string(), "");
const noEntry = { auth: "", identitytoken: "", username: "", password: "" };
const authEntry = v.nullish(
  v.looseObject({ auth: text, identitytoken: text, username: text, password: text }),
  noEntry,
);

const authFile = v.looseObject({
  auths: v.nullish(v.record(v.string(), v.unknown()), {}),
  credsStore: v.nullish(v.string(), ""),
  credHelpers: v.nullish(v.record(v.string(), v.string()), {}),
});

/** What such a file says. */
export type AuthFile = v.InferOutput<typeof authFile>;

/**
 * Reads a file.
 * @returns undefined when there is none
 * @throws BunkerError `invalid_auth_file`, `auth_file_unreadable`
 */
export function readAuthFile(path: string): AuthFile | undefined {
  const value = readJson(path);
  return value === undefined ? undefined : parseAuthFile(path, value);
}

/**
 * Reads `~/.dockercfg`, which Docker wrote before there was config.json: nothing but the entries. Throws and returns as
 * `readAuthFile`.
 */
export function readLegacyAuthFile(path: string): AuthFile | undefined {
  const value = readJson(path);
  if (value === undefined) return undefined;
  const entries = v.safeParse(v.record(v.string(), v.unknown()), value);
  if (!entries.success) throw invalid(path, entries.issues[0].message);
  return parseAuthFile(path, { auths: entries.output });
}

function readJson(path: string): unknown {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) return undefined;
    throw new BunkerError({ code: "auth_file_unreadable", operation: "read", object: path, errno }, { cause });
  }
  // Docker and Podman take an empty file for one without logins.
  if (content.trim() === "") return {};
  try {
    return JSON.parse(content);
  } catch (cause) {
    throw invalid(path, "it is not JSON", cause);
  }
}

function parseAuthFile(path: string, value: unknown): AuthFile {
  const result = v.safeParse(authFile, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw invalid(path, `${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
}

/**
 * Takes the login of an entry.
 * @param path of the file, for messages
 * @returns undefined when the entry says none, as Docker leaves them for logins that a credential helper has
 * @throws BunkerError `invalid_auth_file`
 */
export function entryCredentials(path: string, file: AuthFile, key: string): Credentials | undefined {
  const parsed = v.safeParse(authEntry, Object.hasOwn(file.auths, key) ? file.auths[key] : undefined);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const member = v.getDotPath(issue);
    throw invalid(path, `${member === null ? "" : `${member} of `}the entry ${key}: ${issue.message}`);
  }
  const entry = parsed.output;
  if (entry.identitytoken !== "") {
    // Docker keeps the user beside it, with an empty password.
    const [user = ""] = Buffer.from(entry.auth, "base64").toString("utf8").split(":");
    return { kind: "identity-token", token: entry.identitytoken, user: user === "" ? undefined : user };
  }
  if (entry.auth === "") {
    const { username: user, password } = entry;
    return user === "" ? undefined : { kind: "password", user, password };
  }
  // Docker pads the decoded text with NUL where it was written by an old version.
  const decoded = Buffer.from(entry.auth, "base64").toString("utf8").replace(/\0+$/, "");
  const colon = decoded.indexOf(":");
  if (colon < 0) throw invalid(path, `auth of the entry ${key} is not USER:PASSWORD in base64`);
  return { kind: "password", user: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

/**
 * Sets or removes the login of entries.
 * @param keys all that mean the same
 * @param credentials undefined removes them
 * @throws BunkerError `invalid_auth_file`, `auth_file_unreadable`, `auth_file_unwritable`; the file is as it was then
 */
export function changeAuthFile(path: string, keys: readonly string[], credentials: Credentials | undefined): void {
  const target = followLink(path);
  try {
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    using directory = openDirectory(dirname(target));
    check(lock(directory.number, Lock.exclusive), "lock", dirname(target));
    const { auths, ...rest } = originalContent(path);
    const others = Object.entries(auths).filter(([key]) => !keys.includes(key));
    const changed = credentials === undefined ? [] : keys.map((key) => [key, entryOf(credentials)] as const);
    const entries = Object.fromEntries([...others, ...changed]);
    // The lock is held: what is there was left by somebody killed, with passwords in it.
    const aside = `${dirname(target)}/.${basename(target)}.bunker`;
    rmSync(aside, { force: true });
    try {
      const changedText = `${JSON.stringify({ auths: entries, ...rest }, undefined, "\t")}\n`;
      writeFileSync(aside, changedText, { flag: "wx", mode: 0o600, flush: true });
      renameSync(aside, target);
    } catch (error) {
      rmSync(aside, { force: true });
      throw error;
    }
  } catch (cause) {
    if (cause instanceof BunkerError) throw cause;
    const errno = errnoOf(cause);
    if (errno === undefined) throw cause;
    throw new BunkerError({ code: "auth_file_unwritable", operation: "write", object: path, errno }, { cause });
  }
}

/** The file as it is, with everything that Bunker does not know. */
function originalContent(path: string): { auths: Record<string, unknown>; [member: string]: unknown } {
  if (readAuthFile(path) === undefined) return { auths: {} };
  const original = readFileSync(path, "utf8").trim();
  const content: { auths?: Record<string, unknown> | null } = original === "" ? {} : JSON.parse(original);
  return { ...content, auths: content.auths ?? {} };
}

function entryOf(credentials: Credentials): object {
  if (credentials.kind === "identity-token") return { identitytoken: credentials.token };
  return { auth: Buffer.from(`${credentials.user}:${credentials.password}`, "utf8").toString("base64") };
}

/** People link such files to where they keep their settings; the link stays. */
function followLink(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function invalid(path: string, reason: string, cause?: unknown): BunkerError {
  return new BunkerError({ code: "invalid_auth_file", operation: "read", object: path, reason }, { cause });
}
