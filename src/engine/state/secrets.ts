/* What is known of secrets besides their data: rows of the state database; ../secrets/secret-data.ts has the data. */
import * as v from "valibot";
import { lazily } from "../../lazily.ts";
import { openStateDatabase, type StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { secretComponent } from "./secret-component.ts";

const labelsSchema = lazily(() => v.pipe(v.string(), v.parseJson(), v.record(v.string(), v.string())));

interface Row extends Omit<Secret, "labels"> {
  readonly labels: string;
}

/** A secret, without its data. */
export interface Secret {
  /** 25 hexadecimal digits, as Podman's. */
  readonly id: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly updated: number;
  readonly labels: Readonly<Record<string, string>>;
  /** The name of the file with its data. */
  readonly file: string;
}

/** Opens the state database with the table of secrets. */
export function openSecrets(data: string): StateDatabase {
  return openStateDatabase(data, [secretComponent]);
}

function secretOf(row: Row): Secret {
  return { ...row, labels: v.parse(labelsSchema(), row.labels) };
}

/** All secrets, by name. */
export function listSecrets(database: StateDatabase): Secret[] {
  return database.all<Row>("SELECT * FROM secret ORDER BY name").map(secretOf);
}

/**
 * The secret that a user means, by its name, its id, or the beginning of its id that no other has.
 * @returns undefined for none
 * @throws BunkerError `ambiguous_secret`
 */
export function lookUpSecret(database: StateDatabase, reference: string): Secret | undefined {
  const secrets = listSecrets(database);
  const exact = secrets.find(({ name }) => name === reference) ?? secrets.find(({ id }) => id === reference);
  if (exact !== undefined || reference === "") return exact;
  const [found, ...others] = secrets.filter(({ id }) => id.startsWith(reference));
  if (others.length === 0) return found;
  throw new BunkerError({
    code: "ambiguous_secret",
    operation: "find secret",
    object: reference,
    reason: `${others.length + 1} ids begin so`,
    exitStatus: 1,
  });
}

/**
 * Finds the secret that a user means.
 * @throws BunkerError `no_such_secret`, `ambiguous_secret`
 */
export function findSecret(database: StateDatabase, reference: string): Secret {
  const secret = lookUpSecret(database, reference);
  if (secret !== undefined) return secret;
  throw new BunkerError({
    code: "no_such_secret",
    operation: "No such secret:",
    object: reference,
    hint: "bunker secret ls shows which there are.",
    exitStatus: 1,
  });
}

/** Records a secret, new or changed. */
export function recordSecret(database: StateDatabase, secret: Secret): void {
  const { id, name, created, updated, labels, file } = secret;
  database.run(
    "INSERT OR REPLACE INTO secret (id, name, created, updated, labels, file) VALUES (?, ?, ?, ?, ?, ?)",
    id,
    name,
    created,
    updated,
    JSON.stringify(labels),
    file,
  );
}

/** Forgets a secret. */
export function deleteSecret(database: StateDatabase, id: string): void {
  database.run("DELETE FROM secret WHERE id = ?", id);
}
