import { BunkerError } from "../sys/error.ts";
import type { StateDatabase } from "./state-database.ts";

/** Makes the table that says which version each component has. Databases that are older lack the last column; it comes to them with the next migration. */
export const CREATE_COMPONENT =
  "CREATE TABLE component (name TEXT PRIMARY KEY, version INTEGER NOT NULL, compatible_from INTEGER) STRICT, WITHOUT ROWID";

/** A part of Bunker with tables of its own. */
export interface StateComponent {
  /** Stable: `images`. */
  readonly name: string;
  /**
   * The one at place N brings the tables from version N to N + 1. Tables are STRICT, so that their columns hold what the
   * code expects. Once released a migration is never changed: another is added.
   */
  readonly migrations: readonly Migration[];
}

/**
 * An SQL script. Programs that only know the version before may go on using the tables after it where `keepsOlder` says
 * so: what their statements name is there and means the same, columns that they do not know have defaults, and nothing is
 * wrong when nobody sets those.
 */
type Migration = string | { readonly script: string; readonly keepsOlder: true };

/** What the database says of a component. */
interface ComponentRow {
  readonly name: string;
  readonly version: number;
  readonly compatible_from?: number | null;
}

/**
 * Brings the tables of components up to date.
 * @param path of the database, for messages
 * @throws BunkerError `state_newer`, and what the database does
 */
export function bringUpToDate(database: StateDatabase, components: readonly StateComponent[], path: string): void {
  const outdated = () => {
    const rows = new Map<string, ComponentRow>();
    for (const row of database.all<ComponentRow>("SELECT * FROM component")) rows.set(row.name, row);
    const found: { component: StateComponent; version: number; compatibleFrom: number }[] = [];
    for (const component of components) {
      const row = rows.get(component.name);
      const version = row?.version ?? 0;
      const compatibleFrom = row?.compatible_from ?? version;
      const known = component.migrations.length;
      if (known < compatibleFrom) throw newer(component, version, path);
      if (version < known) found.push({ component, version, compatibleFrom });
    }
    return found;
  };
  if (outdated().length === 0) return;
  database.transaction(() => {
    const column = "SELECT 1 FROM pragma_table_info('component') WHERE name = 'compatible_from'";
    if (database.get(column) === undefined) database.script("ALTER TABLE component ADD COLUMN compatible_from INTEGER");
    // Another process may have done it meanwhile.
    for (const { component, version, compatibleFrom } of outdated()) {
      const { name, migrations } = component;
      let oldest = compatibleFrom;
      for (const [place, migration] of migrations.entries()) {
        if (place < version) continue;
        const { script, keepsOlder } =
          typeof migration === "string" ? { script: migration, keepsOlder: false } : migration;
        database.script(script);
        // Before the first one there are no tables that anybody could use.
        if (!keepsOlder || place === 0) oldest = place + 1;
      }
      database.run("INSERT OR REPLACE INTO component VALUES (?, ?, ?)", name, migrations.length, oldest);
    }
  });
}

function newer({ name, migrations }: StateComponent, version: number, path: string): BunkerError {
  return new BunkerError({
    code: "state_newer",
    operation: "open",
    object: path,
    reason: `its ${name} have version ${version}, this Bunker knows up to ${migrations.length}`,
    hint: "Use the newer Bunker that has written it.",
  });
}
