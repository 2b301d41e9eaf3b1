/*
 * What the usual list shows of containers. It has columns of its own: reading the definitions of a hundred containers
 * takes longer than all the rest of a list, and the code that checks them nearly as long again.
 */
import type { StateDatabase } from "../../state/state-database.ts";
import type { Container, Health } from "./containers.ts";

/** Times are milliseconds since 1970. */
export interface ContainerOutline
  extends Pick<Container, "id" | "name" | "created" | "status" | "started" | "finished" | "exitStatus"> {
  readonly image: string;
  readonly command: readonly string[];
  readonly health: Pick<Health, "status"> | undefined;
  /** JSON, unless it has none to show: the ports of the host that lead to it, and those that it says it serves. */
  readonly ports: { readonly published: string; readonly exposed: string } | undefined;
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly status: Container["status"];
  readonly started: number | null;
  readonly finished: number | null;
  readonly exit_status: number | null;
  readonly image: unknown;
  readonly command: string | null;
  readonly health: Health["status"] | null;
  readonly ports: string;
  readonly exposed_ports: string | null;
}

const QUERY = `SELECT id, name, created, status, started, finished, exit_status, image, command,
    health ->> 'status' AS health, ports, exposed_ports
  FROM container ORDER BY created DESC, id`;
const NO_PORTS = "[]";
const NONE_EXPOSED = "{}";

/**
 * All containers, the newest first.
 * @returns undefined when something is not as this version writes it; `Container` says what
 */
export function recordedOutlines(database: StateDatabase): ContainerOutline[] | undefined {
  const outlines: ContainerOutline[] = [];
  for (const row of database.all<Row>(QUERY)) {
    const { image, status } = row;
    const command: unknown = JSON.parse(row.command ?? "null");
    if (typeof image !== "string" || !isListOfTexts(command)) return undefined;
    const isUp = status === "running" || status === "paused";
    const published = isUp ? row.ports : NO_PORTS;
    const exposed = isUp ? (row.exposed_ports ?? NONE_EXPOSED) : NONE_EXPOSED;
    outlines.push({
      id: row.id,
      name: row.name,
      created: row.created,
      status,
      started: row.started ?? undefined,
      finished: row.finished ?? undefined,
      exitStatus: row.exit_status ?? undefined,
      image,
      command,
      health: row.health === null ? undefined : { status: row.health },
      ports: published === NO_PORTS && exposed === NONE_EXPOSED ? undefined : { published, exposed },
    });
  }
  return outlines;
}

function isListOfTexts(value: unknown): value is readonly string[] {
  if (!Array.isArray(value)) return false;
  for (const text of value) if (typeof text !== "string") return false;
  return true;
}
