import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StateComponent } from "../../../src/state/state-component.ts";
import { openStateDatabase } from "../../../src/state/state-database.ts";
import { BunkerError } from "../../../src/sys/error.ts";
import { descriptorsLeftBy } from "../../open-descriptors.ts";
import { notes } from "./notes.ts";

const fixture = join(import.meta.dir, "fixtures/use-state.ts");
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bunker-state-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof BunkerError) return error.code;
    throw error;
  }
}

function count(path = directory): number {
  using state = openStateDatabase(path, [notes]);
  return state.get<{ count: number }>("SELECT count(*) AS count FROM note")?.count ?? -1;
}

/** Runs the fixture behind a change of the mounts. */
function runBehind(change: string, ...action: string[]) {
  const words = ["unshare", "-Urm", "--", "sh", "-c", `${change} && exec "$@"`, "sh", process.execPath, fixture];
  const { stdout, stderr } = Bun.spawnSync([...words, directory, ...action]);
  const lines = stdout.toString().trim().split("\n");
  if (lines.length === 0) throw new Error(stderr.toString());
  return JSON.parse(lines.at(-1) ?? "");
}

describe("what is stored", () => {
  test("is there for the next one, for the user alone", () => {
    const path = join(directory, "new/data");
    {
      using state = openStateDatabase(path, [notes]);
      state.run("INSERT INTO note (text) VALUES (?)", "kept");
      state.transaction(() => state.run("INSERT INTO note (text) VALUES (?)", "durable"), { durable: true });
    }
    using state = openStateDatabase(path, [notes]);
    expect(state.all<{ text: string }>("SELECT text FROM note ORDER BY id")).toEqual([
      { text: "kept" },
      { text: "durable" },
    ]);
    for (const name of readdirSync(path)) expect(statSync(join(path, name)).mode & 0o077).toBe(0);
  });

  test("is where nothing inherits what the directory above hands on", () => {
    for (const path of [`${directory}/above/made`, `${directory}/above/there`]) {
      mkdirSync(`${directory}/above`, { recursive: true });
      chmodSync(`${directory}/above`, 0o2755);
      expect(Bun.spawnSync(["setfacl", "-d", "-m", "u::rwx,g::rwx,o::rwx,u:7:rwx", `${directory}/above`]).success).toBe(
        true,
      );
      if (path.endsWith("there")) mkdirSync(path);
      openStateDatabase(path, [notes])[Symbol.dispose]();
      mkdirSync(`${path}/inside`, { mode: 0o750 });
      expect(statSync(`${path}/inside`).mode & 0o7777).toBe(0o750);
      const list = Bun.spawnSync(["getfacl", "-cp", `${path}/inside`]).stdout.toString();
      expect(list.trim()).toBe("user::rwx\ngroup::r-x\nother::---");
    }
  });

  test("survives a kill, whole transactions at a time", async () => {
    for (const lines of [1, 7, 30]) {
      const child = Bun.spawn([process.execPath, fixture, directory, "add", "100000"], { stdout: "pipe" });
      let seen = 0;
      for await (const piece of child.stdout) {
        seen += Buffer.from(piece).toString().split("\n").length - 1;
        if (seen >= lines) break;
      }
      child.kill("SIGKILL");
      await child.exited;
      const found = count();
      expect(found % 2).toBe(0);
      expect(found).toBeGreaterThanOrEqual(2 * seen);
    }
  });

  test("of a transaction that fails is nothing", () => {
    using state = openStateDatabase(directory, [notes]);
    const work = () =>
      state.transaction(() => {
        state.run("INSERT INTO note (text) VALUES ('lost')");
        throw new Error("changed my mind");
      });
    expect(work).toThrow("changed my mind");
    expect(count()).toBe(0);
  });

  test("stays in the log when its process ends, so that nobody waits for the disk", async () => {
    const child = Bun.spawn([process.execPath, fixture, directory, "add", "1"], { stdout: "ignore" });
    expect(await child.exited).toBe(0);
    expect(statSync(join(directory, "state.db-wal")).size).toBeGreaterThan(0);
    expect(count()).toBe(2);
  });

  test("stays with a process that has closed another connection", () => {
    using first = openStateDatabase(directory, [notes]);
    openStateDatabase(directory, [notes])[Symbol.dispose]();
    first.run("INSERT INTO note (text) VALUES ('before')");
    // Whoever finds nobody else moves the log, and takes it away from those who are there nevertheless.
    const script = `const d = new (require("bun:sqlite").Database)(process.argv[1]); d.query("SELECT * FROM note").all(); d.close()`;
    Bun.spawnSync([process.execPath, "-e", script, join(directory, "state.db")]);
    first.run("INSERT INTO note (text) VALUES ('after')");
    first[Symbol.dispose]();
    expect(count()).toBe(2);
  });

  test("leaves no descriptor behind when it is closed", () => {
    expect(descriptorsLeftBy(() => void count())).toBe(0);
  });
});

test("many processes that begin at once find one database", async () => {
  const children = Array.from({ length: 8 }, () =>
    Bun.spawn([process.execPath, fixture, directory, "add", "5"], { stdout: "pipe" }),
  );
  for (const child of children) expect(await child.exited).toBe(0);
  expect(count()).toBe(80);
  expect(readdirSync(directory).filter((name) => !name.startsWith("state.db"))).toEqual([]);
  expect(readdirSync(directory).every((name) => /^state\.db(?:-wal|-shm)?$/.test(name))).toBe(true);
});

describe("tables", () => {
  const later: StateComponent = {
    name: "notes",
    migrations: [...notes.migrations, "ALTER TABLE note ADD COLUMN colour TEXT; UPDATE note SET colour = 'red'"],
  };

  test("are brought up to date, keeping what is in them", () => {
    {
      using state = openStateDatabase(directory, [notes]);
      state.run("INSERT INTO note (text) VALUES ('old')");
    }
    using state = openStateDatabase(directory, [later]);
    expect(state.all<object>("SELECT text, colour FROM note")).toEqual([{ text: "old", colour: "red" }]);
  });

  test("of a newer version are refused", () => {
    openStateDatabase(directory, [later])[Symbol.dispose]();
    expect(codeOf(() => openStateDatabase(directory, [notes]))).toBe("state_newer");
  });

  /** What the programs that know 1, 2, … of the migrations get, after one that knows all has opened the database. */
  function openedByOlder(migrations: readonly (typeof later.migrations)[number][]): readonly unknown[] {
    openStateDatabase(directory, [{ name: "notes", migrations }])[Symbol.dispose]();
    return migrations.map((_migration, place) => {
      try {
        using state = openStateDatabase(directory, [{ name: "notes", migrations: migrations.slice(0, place + 1) }]);
        return state.run("INSERT INTO note (text) VALUES ('by one as old')");
      } catch (error) {
        return error instanceof BunkerError ? error.code : error;
      }
    });
  }
  const keeping = (name: string) =>
    ({ script: `ALTER TABLE note ADD COLUMN ${name} TEXT NOT NULL DEFAULT ''`, keepsOlder: true }) as const;

  test("of a newer version are used where its migrations allow it", () => {
    expect(openedByOlder([...notes.migrations, keeping("one"), keeping("two")])).toEqual([1, 1, 1]);
    using state = openStateDatabase(directory, [notes]);
    expect(state.get<object>("SELECT * FROM component")).toEqual({ name: "notes", version: 3, compatible_from: 1 });
  });

  test("of a newer version are refused to programs from before a migration that does not allow it", () => {
    const migrations = [...later.migrations, keeping("one"), "ALTER TABLE note ADD COLUMN two TEXT", keeping("three")];
    expect(openedByOlder(migrations)).toEqual(["state_newer", "state_newer", "state_newer", 1, 1]);
  });

  test("of a database from before such numbers are used, migrated, and refused to older ones", () => {
    {
      using state = openStateDatabase(directory, [notes]);
      state.script("ALTER TABLE component DROP COLUMN compatible_from");
    }
    expect(count()).toBe(0);
    expect(openedByOlder([...later.migrations, keeping("one")])).toEqual(["state_newer", 1, 1]);
    using state = openStateDatabase(directory, [{ ...notes, name: "others", migrations: ["SELECT 1"] }]);
    expect(state.all<object>("SELECT * FROM component ORDER BY name")).toEqual([
      { name: "notes", version: 3, compatible_from: 2 },
      { name: "others", version: 1, compatible_from: 1 },
    ]);
  });

  test("stay as they were when a step fails", () => {
    count();
    const wrong = { name: "notes", migrations: [...notes.migrations, "DROP TABLE note", "no SQL"] };
    expect(() => openStateDatabase(directory, [wrong])).toThrow("syntax error");
    expect(count()).toBe(0);
  });
});

describe("what can be wrong is told", () => {
  test("damage", () => {
    writeFileSync(
      join(directory, "state.db"),
      "not a database at all, but long enough to be taken for one".repeat(100),
    );
    expect(codeOf(count)).toBe("state_damaged");
  });

  test("a full disk", () => {
    const tmpfs = `mount -t tmpfs -o size=400k tmpfs ${directory}`;
    expect(runBehind(tmpfs, "fill").code).toBe("no_space");
  });
});

describe("in a read-only file system", () => {
  const readOnly = () => `mount --bind ${directory} ${directory} && mount -o remount,bind,ro ${directory}`;

  test("what there is can be read and not changed", () => {
    expect(count()).toBe(0);
    // Without a log, as a store is that was copied or has been at rest.
    const sqlite = new Database(join(directory, "state.db"));
    sqlite.run("INSERT INTO note (text) VALUES ('one')");
    sqlite.close();
    expect(runBehind(readOnly(), "count")).toEqual({ notes: { count: 1 }, readOnly: true });
    expect(runBehind(readOnly(), "read").code).toBe("state_read_only");
  });

  test("nothing is found where nothing is", () => {
    expect(runBehind(readOnly(), "count")).toEqual({ notes: { count: 0 }, readOnly: true });
  });

  test("a log that cannot be read is not passed over", () => {
    {
      using state = openStateDatabase(directory, [notes]);
      state.run("INSERT INTO note (text) VALUES ('in the log')");
    }
    rmSync(join(directory, "state.db-shm"), { force: true });
    expect(runBehind(readOnly(), "count").code).toBe("state_read_only");
  });
});
