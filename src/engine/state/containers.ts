/*
 * What is known of containers: rows of the state database, and what the kernel says about them now.
 *
 * A row's status is what was recorded last. Whoever starts, supervises or removes a container holds the lock of its
 * directory meanwhile (container-directory.ts), and the kernel gives a lock back when its holder dies. So a row that says
 * `running`, `restarting` or `removing` while nobody holds the lock was left by somebody killed, or by a reboot: whoever
 * reads it next sets it right. The supervisor's death was the end of the container's processes too, and how they ended
 * nobody knows; Docker says 255 then.
 *
 * One that is to be gone by now, because it was being removed or has `--rm`, is removed first, by a process of its own:
 * the code for that is more than what a list needs, and whoever reads a list seldom has a use for it.
 */
import * as v from "valibot";
import { removeGroupMadeByHand } from "../../cgroup/group-by-hand.ts";
import { openStateDatabase, type StateDatabase } from "../../state/state-database.ts";
import { BunkerError } from "../../sys/error.ts";
import { isHeld } from "../container-directory.ts";
import { internalCommand } from "../internal-command.ts";
import { type PortBinding, portBindingSchema } from "../network/network-plan-schema.ts";
import { containerComponent } from "./container-component.ts";
import { type ContainerDefinition, parseDefinition, type RestartPolicy } from "./container-definition.ts";
import { networkComponent } from "./network-component.ts";
import { volumeComponent } from "./volume-component.ts";

export type ContainerStatus = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";

/** The exit status of a container whose end nobody saw. */
const UNKNOWN_STATUS = 255;
const LOST = "the supervisor was killed; how the container ended is unknown";

const healthSchema = v.object({
  status: v.picklist(["starting", "healthy", "unhealthy"]),
  failingStreak: v.number(),
  log: v.array(v.object({ start: v.number(), end: v.number(), exitStatus: v.number(), output: v.string() })),
});

const portsSchema = v.array(portBindingSchema);

/** The results of health checks so far; times are milliseconds since 1970. */
export type Health = Readonly<v.InferOutput<typeof healthSchema>>;

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
}

/** A container; times are milliseconds since 1970. */
export interface Container {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly definition: ContainerDefinition;
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
}

/** Opens the state database with the tables of containers, of the volumes that they use and the networks that they are on. */
export function openContainers(data: string): StateDatabase {
  return openStateDatabase(data, [containerComponent, volumeComponent, networkComponent]);
}

function containerOf(row: Row): Container {
  return {
    id: row.id,
    name: row.name,
    created: row.created,
    definition: parseDefinition(row.definition, row.id),
    status: row.status,
    pid: row.pid ?? undefined,
    startTime: row.start_time ?? undefined,
    started: row.started ?? undefined,
    finished: row.finished ?? undefined,
    exitStatus: row.exit_status ?? undefined,
    error: row.error,
    restartCount: row.restart_count,
    stoppedByUser: row.stopped_by_user === 1,
    health: row.health === null ? undefined : v.parse(v.pipe(v.string(), v.parseJson(), healthSchema), row.health),
    ports: row.status === "running" ? v.parse(v.pipe(v.string(), v.parseJson(), portsSchema), row.ports) : [],
    cgroup: row.cgroup ?? undefined,
    outOfMemory: row.out_of_memory === 1,
  };
}

/** Whether a row claims that somebody works on the container. */
function isClaimed(status: ContainerStatus): boolean {
  return status === "running" || status === "paused" || status === "restarting" || status === "removing";
}

/**
 * Sets right what a killed supervisor, or a reboot, has left; see the head of this file.
 * @returns undefined when the container is gone
 */
function truthful(database: StateDatabase, data: string, row: Row): Row | undefined {
  if (!isClaimed(row.status) || isHeld(data, row.id)) return row;
  // The holder may have recorded the end and let go since the row was read.
  const again = database.get<Row>("SELECT * FROM container WHERE id = ?", row.id);
  if (again === undefined || !isClaimed(again.status)) return again;
  if (isToBeGone(again) && !database.isReadOnly) {
    Bun.spawnSync(internalCommand(["finish-removal", data, row.id]), { stdio: ["ignore", "ignore", "ignore"] });
    const left = database.get<Row>("SELECT * FROM container WHERE id = ?", row.id);
    return left === undefined ? undefined : { ...left, status: "removing" };
  }
  if (again.status === "removing") return again;
  if (again.cgroup !== null && !database.isReadOnly) removeGroupMadeByHand(again.cgroup, row.id);
  const finished = Date.now();
  const lost = again.error || LOST;
  if (!database.isReadOnly) {
    database.run(
      `UPDATE container SET status = 'exited', pid = NULL, finished = ?, exit_status = ?, error = ?
       WHERE id = ? AND status = ?`,
      finished,
      UNKNOWN_STATUS,
      lost,
      row.id,
      again.status,
    );
  }
  return { ...again, status: "exited", pid: null, finished, exit_status: UNKNOWN_STATUS, error: lost };
}

function isToBeGone({ status, definition, id }: Row): boolean {
  return status === "removing" || parseDefinition(definition, id).remove;
}

/** A container that nobody works on, as it was recorded last. */
export function abandonedContainer(database: StateDatabase, id: string): Container | undefined {
  const row = database.get<Row>("SELECT * FROM container WHERE id = ?", id);
  return row !== undefined && isClaimed(row.status) && isToBeGone(row) ? containerOf(row) : undefined;
}

/** All containers, the newest first. */
export function listContainers(database: StateDatabase, data: string): Container[] {
  return database
    .all<Row>("SELECT * FROM container ORDER BY created DESC, id")
    .flatMap((row) => truthful(database, data, row) ?? [])
    .map(containerOf);
}

/**
 * The container that was created last.
 * @throws BunkerError `no_such_container` if there is none
 */
export function latestContainer(database: StateDatabase, data: string): Container {
  const [latest] = listContainers(database, data);
  if (latest !== undefined) return latest;
  throw new BunkerError({ code: "no_such_container", operation: "there is no container", exitStatus: 1 });
}

/** What all containers were made from. Unlike `listContainers` it only reads, whatever has become of them. */
export function listDefinitions(database: StateDatabase): ContainerDefinition[] {
  return database.all<Row>("SELECT * FROM container").map((row) => containerOf(row).definition);
}

/**
 * Finds the container that a user means.
 * @param reference a name, an id, or the beginning of an id
 * @throws BunkerError `no_such_container`, `ambiguous_container`
 */
export function findContainer(database: StateDatabase, data: string, reference: string): Container {
  const name = reference.startsWith("/") ? reference.slice(1) : reference;
  const exact = database.get<Row>("SELECT * FROM container WHERE id = ?1 OR name = ?1", name);
  const found = exact === undefined ? undefined : truthful(database, data, exact);
  if (found !== undefined) return containerOf(found);
  const isPrefix = /^[0-9a-f]{1,64}$/.test(name);
  const [only, another] = isPrefix
    ? database.all<Row>("SELECT * FROM container WHERE id >= ?1 AND id < ?1 || 'g' LIMIT 2", name)
    : [];
  const isAmbiguous = another !== undefined;
  const unique = only === undefined || isAmbiguous ? undefined : truthful(database, data, only);
  if (unique !== undefined) return containerOf(unique);
  throw new BunkerError({
    code: isAmbiguous ? "ambiguous_container" : "no_such_container",
    operation: isAmbiguous ? "several containers have ids that begin with" : "No such container:",
    object: reference,
    exitStatus: 1,
  });
}

/** Finds a container by its id; undefined when it is only just being made, or has just been removed. */
export function lookUpContainer(database: StateDatabase, data: string, id: string): Container | undefined {
  try {
    return findContainer(database, data, id);
  } catch (error) {
    if (error instanceof BunkerError && error.code === "no_such_container") return undefined;
    throw error;
  }
}

/**
 * Records a new container.
 * @throws BunkerError `name_in_use`
 */
export function insertContainer(
  database: StateDatabase,
  data: string,
  container: { readonly id: string; readonly name: string; readonly definition: ContainerDefinition },
): void {
  const earlier = database.get<Row>("SELECT * FROM container WHERE name = ?", container.name);
  // Who has the name may be about to be gone.
  if (earlier !== undefined) truthful(database, data, earlier);
  database.transaction(() => {
    const holder = database.get<{ id: string }>("SELECT id FROM container WHERE name = ?", container.name);
    if (holder !== undefined) throw nameInUse(container.name, holder.id);
    database.run(
      "INSERT INTO container (id, name, created, definition, status) VALUES (?, ?, ?, ?, 'created')",
      container.id,
      container.name,
      Date.now(),
      JSON.stringify(container.definition),
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
  process: { readonly pid: number; readonly startTime: number; readonly cgroup: string | undefined },
  { health, ports }: { readonly health: Health | undefined; readonly ports: readonly PortBinding[] },
): void {
  database.run(
    `UPDATE container SET status = 'running', pid = ?, start_time = ?, started = ?, finished = NULL,
     exit_status = NULL, error = '', stopped_by_user = 0, cgroup = ?, out_of_memory = 0, health = ?, ports = ? WHERE id = ?`,
    process.pid,
    process.startTime,
    Date.now(),
    process.cgroup ?? null,
    health === undefined ? null : JSON.stringify(health),
    JSON.stringify(ports),
    id,
  );
}

/** Records why a container could not be started, with the status that `run` ends with. */
export function recordFailedStart(database: StateDatabase, id: string, error: string, exitStatus: number): void {
  database.run(
    "UPDATE container SET status = 'created', pid = NULL, error = ?, exit_status = ? WHERE id = ?",
    error,
    exitStatus,
    id,
  );
}

/** Records a container's end, and what comes next: nothing, or another start. */
export function recordEnd(
  database: StateDatabase,
  id: string,
  end: { readonly status: "exited" | "restarting"; readonly exitStatus: number },
): void {
  database.run(
    `UPDATE container SET status = ?, pid = NULL, finished = ?, exit_status = ?,
     restart_count = restart_count + ? WHERE id = ?`,
    end.status,
    Date.now(),
    end.exitStatus,
    end.status === "restarting" ? 1 : 0,
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
  database.run("UPDATE container SET status = ? WHERE id = ?", status, id);
}

/** Records the results of health checks. */
export function recordHealth(database: StateDatabase, id: string, health: Health): void {
  database.run("UPDATE container SET health = ? WHERE id = ?", JSON.stringify(health), id);
}

/** Records another restart policy. Whoever sees the container's end reads it then. */
export function recordRestartPolicy(
  database: StateDatabase,
  { id, definition }: Container,
  restart: RestartPolicy,
): void {
  database.run("UPDATE container SET definition = ? WHERE id = ?", JSON.stringify({ ...definition, restart }), id);
}

/** Records that a container is restarted by a user's command, so that its policy counts from zero. */
export function resetRestartCount(database: StateDatabase, id: string): void {
  database.run("UPDATE container SET restart_count = 0 WHERE id = ?", id);
}

/** Forgets a container. */
export function deleteContainer(database: StateDatabase, id: string): void {
  database.run("DELETE FROM container WHERE id = ?", id);
}
