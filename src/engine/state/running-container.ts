/*
 * What a further process has to know of its container. It is read without what checks whole definitions, which is more code
 * than all of this, and takes longer than starting the process.
 */
import { isObject } from "../../notation/is-object.ts";
import type { StateDatabase } from "../../state/state-database.ts";
import type { Container } from "./containers.ts";

/** A container that runs. */
export type RunningContainer = Pick<Container, "id" | "name" | "status" | "pid" | "startTime" | "cgroup" | "summary">;

interface Row {
  readonly id: string;
  readonly name: string;
  readonly pid: number | null;
  readonly start_time: number | null;
  readonly cgroup: string | null;
  readonly image: unknown;
  readonly labels: string | null;
  readonly default_filter: unknown;
}

const QUERY = `SELECT id, name, pid, start_time, cgroup, image, definition -> 'labels' AS labels,
    definition ->> 'defaultFilter' AS default_filter
  FROM container WHERE (id = ?1 OR name = ?1) AND status = 'running'`;

/**
 * The container with an id or a name, if it is recorded as running.
 * @returns undefined also when something is not as this version writes it; `Container` says what
 */
export function recordedRunning(database: StateDatabase, reference: string): RunningContainer | undefined {
  const row = database.get<Row>(QUERY, reference);
  if (row === undefined) return undefined;
  const { image, default_filter: defaultFilter } = row;
  const labels: unknown = JSON.parse(row.labels ?? "null");
  // SQLite has no other truth values.
  if (typeof image !== "string" || !isMapOfTexts(labels) || (defaultFilter !== 0 && defaultFilter !== 1)) {
    return undefined;
  }
  return {
    id: row.id,
    name: row.name,
    status: "running",
    pid: row.pid ?? undefined,
    startTime: row.start_time ?? undefined,
    cgroup: row.cgroup ?? undefined,
    summary: { image, labels, defaultFilter: defaultFilter === 1 },
  };
}

function isMapOfTexts(value: unknown): value is Readonly<Record<string, string>> {
  if (!isObject(value)) return false;
  for (const text of Object.values(value)) if (typeof text !== "string") return false;
  return true;
}
