/*
 * What is known of volumes: rows of the state database, and who uses them.
 *
 * A container is noted as a volume's user in the transaction that finds or makes the volume, when its directory is
 * locked already and its row is still to come. So a use counts when the container is known, or somebody holds its lock: it
 * is just being made. What a killed command has noted is neither, and is forgotten with the volume. As the transaction
 * that removes a volume looks at its uses, nothing that a container has been promised goes away.
 */
import * as v from "valibot";
import { lazily } from "../../lazily.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { isHeld } from "./container-directory.ts";
import { isKnown } from "./containers.ts";

const mapSchema = lazily(() => v.pipe(v.string(), v.parseJson(), v.record(v.string(), v.string())));

interface Row {
  readonly name: string;
  readonly created: number;
  readonly anonymous: number;
  readonly labels: string;
  readonly options: string;
}

/** A volume. */
export interface Volume {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly isAnonymous: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** What the driver was told: `type`, `device`, `o`. */
  readonly options: Readonly<Record<string, string>>;
}

function volumeOf({ name, created, anonymous, labels, options }: Row): Volume {
  return {
    name,
    created,
    isAnonymous: anonymous === 1,
    labels: v.parse(mapSchema(), labels),
    options: v.parse(mapSchema(), options),
  };
}

/** All volumes, by name. */
export function listVolumes(database: StateDatabase): Volume[] {
  return database.all<Row>("SELECT * FROM volume ORDER BY name").map(volumeOf);
}

/** The volume of a name, if there is one. */
export function lookUpVolume(database: StateDatabase, name: string): Volume | undefined {
  const row = database.get<Row>("SELECT * FROM volume WHERE name = ?", name);
  return row === undefined ? undefined : volumeOf(row);
}

/**
 * Finds the volume that a user means.
 * @throws BunkerError `no_such_volume`
 */
export function findVolume(database: StateDatabase, name: string): Volume {
  const volume = lookUpVolume(database, name);
  if (volume !== undefined) return volume;
  throw new BunkerError({ code: "no_such_volume", operation: "No such volume:", object: name, exitStatus: 1 });
}

/** Records a new volume; part of a transaction that has seen that there is none of the name. */
export function insertVolume(database: StateDatabase, { name, created, isAnonymous, labels, options }: Volume): void {
  database.run(
    "INSERT INTO volume (name, created, anonymous, labels, options) VALUES (?, ?, ?, ?, ?)",
    name,
    created,
    isAnonymous ? 1 : 0,
    JSON.stringify(labels),
    JSON.stringify(options),
  );
}

/** Forgets a volume and its uses. */
export function deleteVolume(database: StateDatabase, name: string): void {
  database.run("DELETE FROM volume WHERE name = ?", name);
}

/**
 * Notes that a container uses a volume, before or after it is recorded.
 * @param isAnonymous whether the container was given it without a name
 */
export function noteUse(database: StateDatabase, name: string, container: string, isAnonymous: boolean): void {
  database.run(
    "INSERT OR IGNORE INTO volume_use (volume, container, anonymous) VALUES (?, ?, ?)",
    name,
    container,
    isAnonymous ? 1 : 0,
  );
}

/** Forgets what a container uses, and returns the names of the volumes that it was given without a name. */
export function forgetUses(database: StateDatabase, container: string): string[] {
  const names = database.all<{ volume: string }>(
    "SELECT volume FROM volume_use WHERE container = ? AND anonymous = 1",
    container,
  );
  database.run("DELETE FROM volume_use WHERE container = ?", container);
  return names.map(({ volume }) => volume);
}

/** The ids of the containers that use a volume: also those that do not run, and those that are just being made. */
export function usersOf(database: StateDatabase, data: string, name: string): string[] {
  return database
    .all<{ container: string }>("SELECT container FROM volume_use WHERE volume = ? ORDER BY container", name)
    .map(({ container }) => container)
    .filter((container) => isKnown(database, container) || isHeld(data, container));
}
