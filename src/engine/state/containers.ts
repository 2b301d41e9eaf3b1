/*
 * What is recorded of containers: rows of the state database. A row's status is what was recorded last; who wants to know
 * whether that still holds asks lifecycle/settle.ts.
 *
 * What a container was made from, most of a row, is only checked where it is asked for. The usual list does without:
 * container-outline.ts.
 */
import * as v from "valibot";
import { lazily } from "../../lazily.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { type PortBinding, portBindingSchema } from "../network/network-plan-schema.ts";
import {
  type ContainerDefinition,
  type DefinitionSummary,
  formatDefinition,
  parseDefinition,
  parseSummary,
  type RestartPolicy,
} from "./container-definition.ts";

export { openContainers } from "./open-containers.ts";

export type ContainerStatus = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";

const healthSchema = lazily(() =>
  v.object({
    status: v.picklist(["starting", "healthy", "unhealthy"]),
    failingStreak: v.number(),
    /** Successes in a row of the check that comes first; undefined when that is over, or there is none. */
    startupSuccesses: v.optional(v.number()),
    log: v.array(v.object({ start: v.number(), end: v.number(), exitStatus: v.number(), output: v.string() })),
  }),
);

const healthText = lazily(() => v.pipe(v.string(), v.parseJson(), healthSchema()));
const NO_PORTS = "[]";
const portsText = lazily(() => v.pipe(v.string(), v.parseJson(), v.array(portBindingSchema())));

/** Reads the ports of the host that lead to a container, as they are recorded. */
export function parsePorts(text: string): readonly PortBinding[] {
  return text === NO_PORTS ? [] : v.parse(portsText(), text);
}

/** The results of health checks so far; times are milliseconds since 1970. */
export type Health = Readonly<v.InferOutput<ReturnType<typeof healthSchema>>>;

interface Row {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly definition: string;
  readonly status: ContainerStatus;
  readonly pid: number | null;
  readonly start_time: number | null;
  readonly started: number | null;
  readonly finished: number | null;
  readonly exit_status: number | null;
  readonly error: string;
  readonly restart_count: number;
  readonly stopped_by_user: number;
  readonly health: string | null;
  readonly ports: string;
  readonly cgroup: string | null;
  readonly out_of_memory: number;
  readonly mount_namespace: string | null;
}

/** A container; times are milliseconds since 1970. */
export interface Container {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly definition: ContainerDefinition;
  /** A part of it that is read alone. */
  readonly summary: DefinitionSummary;
  readonly status: ContainerStatus;
  /** Its first process while it runs. */
  readonly pid: number | undefined;
  readonly startTime: number | undefined;
  readonly started: number | undefined;
  readonly finished: number | undefined;
  readonly exitStatus: number | undefined;
  readonly error: string;
  readonly restartCount: number;
  readonly stoppedByUser: boolean;
  readonly health: Health | undefined;
  /** The ports of the host that lead to it while it runs. */
  readonly ports: readonly PortBinding[];
  /** Its own cgroup below /sys/fs/cgroup while it runs, if it has one. */
  readonly cgroup: string | undefined;
  /** Whether the kernel killed a process of its last run for want of memory. */
  readonly outOfMemory: boolean;
  /** What its processes are known by while it runs in another's pid namespace; undefined on kernels that cannot tell. */
  readonly mountNamespace: string | undefined;
}

function containerOf(row: Row): Container {
  let definition: ContainerDefinition | undefined;
  let summary: DefinitionSummary | undefined;
  return {
    id: row.id,
    name: row.name,
    created: row.created,
    get definition() {
      definition ??= parseDefinition(row.definition, row.id);
      return definition;
    },
    get summary() {
      summary ??= parseSummary(row.definition, row.id);
      return summary;
    },
    status: row.status,
    pid: row.pid ?? undefined,
    startTime: row.start_time ?? undefined,
    started: row.started ?? undefined,
    finished: row.finished ?? undefined,
    exitStatus: row.exit_status ?? undefined,
    error: row.error,
    restartCount: row.restart_count,
    stoppedByUser: row.stopped_by_user === 1,
    health: row.health === null ? undefined : v.parse(healthText(), row.health),
    ports: row.status === "running" || row.status === "paused" ? parsePorts(row.ports) : [],
    cgroup: row.cgroup ?? undefined,
    outOfMemory: row.out_of_memory === 1,
    mountNamespace: row.mount_namespace ?? undefined,
  };
}

const SELECT_BY_ID = "SELECT * FROM container WHERE id = ?";
const UPDATE_START = `UPDATE container SET status = 'running', pid = ?, start_time = ?, started = ?, finished = NULL,
  exit_status = NULL, error = '', stopped_by_user = 0, cgroup = ?, mount_namespace = ?, out_of_memory = 0, health = ?,
  ports = ? WHERE id = ?`;
const UPDATE_STATUS = "UPDATE container SET status = ? WHERE id = ?";
const DELETE_BY_ID = "DELETE FROM container WHERE id = ?";

/** All containers, the newest first. */
export function recordedContainers(database: StateDatabase): Container[] {
  return database.all<Row>("SELECT * FROM container ORDER BY created DESC, id").map(containerOf);
}

/** The container with an id or a name. */
export function recordedContainer(database: StateDatabase, reference: string): Container | undefined {
  const row = database.get<Row>("SELECT * FROM container WHERE id = ?1 OR name = ?1", reference);
  return row === undefined ? undefined : containerOf(row);
}

/** The container with an id, all of it. */
export function containerWithId(database: StateDatabase, id: string): Container | undefined {
  const row = database.get<Row>(SELECT_BY_ID, id);
  return row === undefined ? undefined : containerOf(row);
}

/** Two containers at most whose ids have this beginning. */
export function recordedContainersFrom(database: StateDatabase, beginning: string): Container[] {
  return database
    .all<Row>("SELECT * FROM container WHERE id >= ?1 AND id < ?1 || 'g' LIMIT 2", beginning)
    .map(containerOf);
}

/**
 * Records a new container.
 * @throws BunkerError `name_in_use`
 */
export function insertContainer(
  database: StateDatabase,
  container: { readonly id: string; readonly name: string; readonly definition: ContainerDefinition },
): void {
  database.transaction(() => {
    const holder = database.get<{ id: string }>("SELECT id FROM container WHERE name = ?", container.name);
    if (holder !== undefined) throw nameInUse(container.name, holder.id);
    database.run(
      "INSERT INTO container (id, name, created, definition, status) VALUES (?, ?, ?, ?, 'created')",
      container.id,
      container.name,
      Date.now(),
      formatDefinition(container.definition),
    );
  });
}

function nameInUse(name: string, holder: string): BunkerError {
  return new BunkerError({
    code: "name_in_use",
    operation: "use the container name",
    object: `"${name}"`,
    reason: `it is in use by container ${holder.slice(0, 12)}`,
    hint: "choose another name, or remove that container",
  });
}

/** Whether a container has this name. */
export function isNameTaken(database: StateDatabase, name: string): boolean {
  return database.get("SELECT 1 FROM container WHERE name = ?", name) !== undefined;
}

/**
 * Gives a container another name.
 * @throws BunkerError `name_in_use`
 */
export function renameContainer(database: StateDatabase, id: string, name: string): void {
  database.transaction(() => {
    const holder = database.get<{ id: string }>("SELECT id FROM container WHERE name = ?", name);
    if (holder !== undefined) throw nameInUse(name, holder.id);
    database.run("UPDATE container SET name = ? WHERE id = ?", name, id);
  });
}

/** Records that a container's process has executed its command. */
export function recordStart(
  database: StateDatabase,
  id: string,
  process: Pick<Container, "cgroup" | "mountNamespace"> & { readonly pid: number; readonly startTime: number },
  { health, ports }: { readonly health: Health | undefined; readonly ports: readonly PortBinding[] },
): void {
  database.run(
    UPDATE_START,
    process.pid,
    process.startTime,
    Date.now(),
    process.cgroup ?? null,
    process.mountNamespace ?? null,
    health === undefined ? null : JSON.stringify(health),
    JSON.stringify(ports),
    id,
  );
}

/**
 * Records why a container could not be started, with the status that `run` ends with. As with Docker one that has run
 * before is as it was after that.
 */
export function recordFailedStart(database: StateDatabase, id: string, error: string, exitStatus: number): void {
  database.run(
    `UPDATE container SET status = CASE WHEN started IS NULL THEN 'created' ELSE 'exited' END,
     finished = CASE WHEN pid IS NULL THEN finished ELSE ? END, pid = NULL, error = ?, exit_status = ? WHERE id = ?`,
    Date.now(),
    error,
    exitStatus,
    id,
  );
}

/** Records the end of a container's run, which its first process names, and what comes next: nothing, or another start. */
export function recordEnd(
  database: StateDatabase,
  { id, pid }: { readonly id: string; readonly pid: number },
  end: { readonly status: "exited" | "restarting"; readonly exitStatus: number },
): void {
  database.run(
    `UPDATE container SET status = ?, pid = NULL, finished = ?, exit_status = ?,
     restart_count = restart_count + ? WHERE id = ? AND pid = ?`,
    end.status,
    Date.now(),
    end.exitStatus,
    end.status === "restarting" ? 1 : 0,
    id,
    pid,
  );
}

/** Records that a container has ended and nobody saw how. */
export function recordLoss(database: StateDatabase, { id, status, finished, exitStatus, error }: Container): void {
  database.run(
    "UPDATE container SET status = ?, pid = NULL, finished = ?, exit_status = ?, error = ? WHERE id = ?",
    status,
    finished ?? null,
    exitStatus ?? null,
    error,
    id,
  );
}

/** Records that a container was frozen or thawed, unless it has ended meanwhile. */
export function recordPaused(database: StateDatabase, id: string, isPaused: boolean): void {
  const [from, to] = isPaused ? ["running", "paused"] : ["paused", "running"];
  database.run("UPDATE container SET status = ? WHERE id = ? AND status = ?", to, id, from);
}

/** Records that the kernel killed a process of the container's for want of memory. */
export function recordOutOfMemory(database: StateDatabase, id: string): void {
  database.run("UPDATE container SET out_of_memory = 1 WHERE id = ?", id);
}

/** Records that somebody asked for the container's end. */
export function recordStop(database: StateDatabase, id: string): void {
  database.run("UPDATE container SET stopped_by_user = 1 WHERE id = ?", id);
}

/** Records what has gone wrong in a container's run: what its log lacks, or what its supervisor failed of. */
export function recordError(database: StateDatabase, id: string, error: string): void {
  database.run("UPDATE container SET error = ? WHERE id = ?", error, id);
}

/** Whether there is a container with this id. */
export function isKnown(database: StateDatabase, id: string): boolean {
  return database.get("SELECT 1 FROM container WHERE id = ?", id) !== undefined;
}

/** The ids of all containers. */
export function knownIds(database: StateDatabase): ReadonlySet<string> {
  return new Set(database.all<{ id: string }>("SELECT id FROM container").map(({ id }) => id));
}

/** Records another status. */
export function recordStatus(database: StateDatabase, id: string, status: ContainerStatus): void {
  database.run(UPDATE_STATUS, status, id);
}

/**
 * Records the results of health checks.
 * @param container as it was when the last check began
 * @returns false when it does not run any more, or has been started again since
 */
export function recordHealth(
  database: StateDatabase,
  { id, pid }: Pick<Container, "id" | "pid">,
  health: Health,
): boolean {
  const text = JSON.stringify(health);
  const isItsRun = "id = ? AND pid = ? AND status = 'running'";
  return database.run(`UPDATE container SET health = ? WHERE ${isItsRun}`, text, id, pid ?? null) > 0;
}

/** Records another restart policy. Whoever sees the container's end reads it then. */
export function recordRestartPolicy(
  database: StateDatabase,
  { id, definition }: Container,
  restart: RestartPolicy,
): void {
  database.run("UPDATE container SET definition = ? WHERE id = ?", formatDefinition({ ...definition, restart }), id);
}

/** Records that a container is restarted by a user's command, so that its policy counts from zero. */
export function resetRestartCount(database: StateDatabase, id: string): void {
  database.run("UPDATE container SET restart_count = 0 WHERE id = ?", id);
}

/**
 * Forgets a container that does nothing and whose files are gone.
 * @returns false when somebody else has forgotten it, or works on it again
 */
export function deleteIdleContainer(database: StateDatabase, id: string): boolean {
  const idle = "status NOT IN ('running', 'paused', 'restarting', 'removing')";
  return database.run(`${DELETE_BY_ID} AND ${idle}`, id) > 0;
}

/** Forgets a container. */
export function deleteContainer(database: StateDatabase, id: string): void {
  database.run(DELETE_BY_ID, id);
}

/**
 * Gets the statements ready that are next, for who has time until a container is started.
 * @param isRemoved whether it is removed at its end
 */
export function prepareStart(database: StateDatabase, isRemoved: boolean): void {
  const next = isRemoved ? [UPDATE_START, SELECT_BY_ID, UPDATE_STATUS, DELETE_BY_ID] : [UPDATE_START];
  for (const sql of next) database.prepare(sql);
}
