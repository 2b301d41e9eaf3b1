/*
 * The data of secrets: a file for each in `<data>/secrets`, which the user alone may read. The state database says which
 * secrets there are, and which file has a secret's data.
 *
 * A file is written, never changed: new data is a new file. It is made within the transaction that records it, and removed
 * after the one that forgets it; so whoever reads within a transaction finds what its row names. What a kill leaves is a
 * file that no row names, and the next secret that is made takes it away, or `system prune`, within a transaction, where
 * nobody else can be about to name it.
 */
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { synchronize } from "../../sys/file.ts";
import { directoryNames, exists, makeDirectories, openFile } from "../../sys/named-file.ts";
import { nodeFileSystem } from "../../sys/node-modules.ts";
import { check } from "../../sys/system-call.ts";
import { unlinkIfThere } from "../../sys/unlink-if-there.ts";
import { recordEvent } from "../events/journal.ts";
import { deleteSecret, findSecret, listSecrets, lookUpSecret, recordSecret, type Secret } from "../state/secrets.ts";

/** As Podman has it, in bytes: less than this. */
export const SECRET_LIMIT = 512_000;

const ID_LENGTH = 25;

/** A secret to be made. */
export interface NewSecret {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly content: Uint8Array;
}

/** The directory with the data of secrets. */
export function secretsDirectory(data: string): string {
  return `${data}/secrets`;
}

/**
 * Makes a secret; it is on the disk then.
 * @param ifThere what becomes of a secret that has the name: `replace` gives it the new data, `keep` changes nothing
 * @returns its id
 * @throws BunkerError `secret_exists`, `secret_size`, `system_call_failed`
 */
export function createSecret(
  database: StateDatabase,
  data: string,
  { name, labels, content }: NewSecret,
  ifThere: "refuse" | "replace" | "keep",
): string {
  if (content.length === 0 || content.length >= SECRET_LIMIT) {
    const reason = `it has ${content.length} bytes, and needs to have at least 1 and fewer than ${SECRET_LIMIT}`;
    throw new BunkerError({ code: "secret_size", operation: "create secret", object: name, reason, exitStatus: 1 });
  }
  const directory = secretsDirectory(data);
  const file = randomDigits(32);
  const made = database.transaction(
    () => {
      const before = listSecrets(database).find((secret) => secret.name === name);
      if (before !== undefined && ifThere === "keep") return { id: before.id, action: undefined };
      if (before !== undefined && ifThere === "refuse") {
        throw new BunkerError({
          code: "secret_exists",
          operation: "create secret",
          object: name,
          reason: "there is one of that name",
          hint: "--replace gives it other data.",
          exitStatus: 1,
        });
      }
      writeData(directory, file, content, name);
      const now = Date.now();
      const secret = {
        id: before?.id ?? randomDigits(ID_LENGTH),
        name,
        created: before?.created ?? now,
        updated: now,
        labels,
        file,
      };
      recordSecret(database, secret);
      // The data that is replaced stays until nobody can need it: the transaction may fail yet.
      removeUnnamed(database, directory, before?.file);
      return { id: secret.id, action: before === undefined ? "create" : "update", replaced: before?.file } as const;
    },
    { durable: true },
  );
  if (made.replaced !== undefined) unlinkIfThere(`${directory}/${made.replaced}`);
  if (made.action !== undefined) record(data, made.action, { id: made.id, name });
  return made.id;
}

/**
 * The data of a secret, with what is known of it.
 * @throws BunkerError `no_such_secret`, `ambiguous_secret`, `secret_unreadable`
 */
export function readSecret(
  database: StateDatabase,
  data: string,
  reference: string,
): { readonly secret: Secret; readonly content: Buffer } {
  return database.transaction(() => {
    const secret = findSecret(database, reference);
    const path = `${secretsDirectory(data)}/${secret.file}`;
    try {
      return { secret, content: nodeFileSystem().readFileSync(path) };
    } catch (error) {
      throw new BunkerError({
        code: "secret_unreadable",
        operation: `read secret ${secret.name} from`,
        object: path,
        errno: errnoOf(error),
        hint: `Make it anew: bunker secret create --replace ${secret.name} FILE`,
      });
    }
  });
}

/**
 * Removes a secret. Containers that were given it keep what they have.
 * @returns its id; undefined when there is none
 * @throws BunkerError `ambiguous_secret`
 */
export function removeSecret(database: StateDatabase, data: string, reference: string): string | undefined {
  const removed = database.transaction(
    () => {
      const secret = lookUpSecret(database, reference);
      if (secret !== undefined) deleteSecret(database, secret.id);
      return secret;
    },
    { durable: true },
  );
  if (removed === undefined) return undefined;
  unlinkIfThere(`${secretsDirectory(data)}/${removed.file}`);
  record(data, "remove", removed);
  return removed.id;
}

/** Removes what killed commands have left. */
export function sweepSecrets(database: StateDatabase, data: string): void {
  const directory = secretsDirectory(data);
  if (exists(directory)) database.transaction(() => removeUnnamed(database, directory, undefined));
}

/** Removes the files that no secret names, within a transaction. */
function removeUnnamed(database: StateDatabase, directory: string, kept: string | undefined): void {
  const named = new Set(listSecrets(database).map(({ file }) => file));
  for (const file of directoryNames(directory)) {
    if (!named.has(file) && file !== kept) unlinkIfThere(`${directory}/${file}`);
  }
}

function record(data: string, action: string, { id, name }: Pick<Secret, "id" | "name">): void {
  recordEvent(data, { type: "secret", action, id, attributes: { name } });
}

/** Writes a file that the user alone may read, and waits until the disk has it. */
function writeData(directory: string, file: string, content: Uint8Array, name: string): void {
  const path = `${directory}/${file}`;
  try {
    makeDirectories(directory, 0o700);
    const { closeSync, openSync, writeFileSync } = nodeFileSystem();
    const opened = openSync(path, "wx", 0o600);
    try {
      writeFileSync(opened, content);
      check(synchronize(opened), "synchronize", path);
    } finally {
      closeSync(opened);
    }
    using parent = openFile(directory, 0);
    check(synchronize(parent.number), "synchronize", directory);
  } catch (cause) {
    unlinkIfThere(path);
    const details = { code: "system_call_failed", operation: `write secret ${name} to`, object: path, exitStatus: 1 };
    throw new BunkerError({ ...details, errno: errnoOf(cause) }, { cause });
  }
}

/** So many random hexadecimal digits. */
function randomDigits(count: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(Math.ceil(count / 2))))
    .toString("hex")
    .slice(0, count);
}
