/*
 * `<data>/state.db`: the one place that says what exists. SQLite in WAL mode; every part of Bunker that has something
 * to remember declares its own tables as a component, with a version, and is brought up to date when it is opened.
 *
 * Beginning. The file is made aside, with WAL mode in its header, and linked to its place: whoever finds it finds it
 * complete. (Switching a database to WAL fails, without waiting, for one of two processes that try it together.)
 *
 * Durability. Nothing that is committed is ever torn. An ordinary transaction is not forced to the disk: after a power
 * cut the last ones may be missing, after a kill never. A durable one is on the disk when it returns; whoever tells the
 * user that something is stored asks for that.
 *
 * End. SQLite's last connection moves the log into the database when it closes, with two fsyncs and so several
 * milliseconds for a command that changed one row. The log is as good where it is: it is read by the next one that
 * opens the database, and moved when it has grown to some hundred pages. So a connection here also holds the lock that
 * a second reader would hold, on a descriptor of its own, and SQLite leaves the log alone. Bun moves the log too, of
 * all databases that are still open when the process ends, without regard to others; so this one is closed before.
 *
 * Full disk. Who needs to remove something must be able to say so when nothing is left. So the log has its room on the
 * disk before the first change (fallocate(2), behind its end), and where there is none for the index of the log, which the
 * first connection makes anew in a file of shared memory, one does without: a connection that locks all others out has
 * it in its own memory (PRAGMA locking_mode). Such connections take turns (flock(2) of the directory), and each is closed
 * after each use, for a command may wait long for what another process has to record first; and it leaves the log's file,
 * with its room, where it is.
 *
 * Versions. A supervisor, or any command, may still run when a newer Bunker migrates the tables that it uses. Beside each
 * component's version stands the oldest version that may go on with them (`compatible_from`), which follows from what
 * each migration says of itself: a program that is at least as new reads and writes as before, an older one is refused.
 * Without such a number, as before there was one, it is the version itself.
 *
 * Read-only. Where the directory cannot be written the database is opened as it lies there; changes are refused. A
 * log that was left beside it cannot be read then, unless somebody has it in use: that is an error, not an older state.
 */
import { constants, Database, type SQLQueryBindings } from "bun:sqlite";
import { Errno } from "../sys/errno.ts";
import { BunkerError, errnoOf } from "../sys/error.ts";
import { Lock, lock, synchronize } from "../sys/file.ts";
import { canWrite, linkFile, makeDirectories, openFile, statusIfThere } from "../sys/named-file.ts";
import { OpenFlag } from "../sys/open.ts";
import { stopInheritance } from "../sys/stop-inheritance.ts";
import { check, SystemCall, systemCall } from "../sys/system-call.ts";
import { unlinkIfThere } from "../sys/unlink-if-there.ts";
import { holdReadersLock } from "./readers-lock.ts";
import { bringUpToDate, CREATE_COMPONENT, type StateComponent } from "./state-component.ts";
import { BUSY, explainStateError, lacksSpaceForIndex } from "./state-error.ts";

/** Milliseconds that one waits for another process's transaction; those take a few. */
const BUSY_TIMEOUT = 30_000;

/** Pages of 4 KiB that the log may have before it is moved into the database: it is read whole at each start. */
const LOG_LIMIT = 250;

/** Bytes that the log has on the disk, whatever else is there: about as much as it grows to. */
const LOG_RESERVE = LOG_LIMIT * 4096;
const FALLOC_FL_KEEP_SIZE = 1;

/** What a statement's parameters may be. */
type Parameters = SQLQueryBindings[];

/** The open database. Every method throws BunkerError with the codes that `openStateDatabase` names. */
export class StateDatabase implements Disposable {
  #database: Database | undefined;
  readonly #path: string;
  readonly #reader: Disposable | undefined;
  /** Of a connection that locks all others out: connects again, for the next use. */
  #reconnect: (() => Database) | undefined;
  #isReadyToWrite = false;
  /** Whether changes are refused, because the file system or its permissions do not allow them. */
  readonly isReadOnly: boolean;

  constructor(database: Database, path: string, reader: Disposable | undefined, reconnect?: () => Database) {
    this.#database = database;
    this.#path = path;
    this.#reader = reader;
    this.#reconnect = reconnect;
    this.isReadOnly = reader === undefined;
    process.once("exit", this.#close);
  }

  /** Compiles a statement that is going to be executed. */
  prepare(sql: string): void {
    this.#use((database) => database.query(sql));
  }

  /** All rows of a query; `Row` is as the STRICT tables have it. */
  all<Row>(sql: string, ...parameters: Parameters): Row[] {
    return this.#use((database) => database.query<Row, Parameters>(sql).all(...parameters));
  }

  /** The first row of a query. */
  get<Row>(sql: string, ...parameters: Parameters): Row | undefined {
    return this.#use((database) => database.query<Row, Parameters>(sql).get(...parameters) ?? undefined);
  }

  /** Executes a statement; returns how many rows it changed. */
  run(sql: string, ...parameters: Parameters): number {
    return this.#use((database) => {
      this.#getReadyToWrite(database);
      return database.query<unknown, Parameters>(sql).run(...parameters).changes;
    });
  }

  /**
   * Brings the tables of more components up to date, which this connection is used for too.
   * @throws BunkerError as `openStateDatabase`
   */
  include(components: readonly StateComponent[]): void {
    bringUpToDate(this, components, this.#path);
  }

  /** Executes statements that have no parameters: a migration. */
  script(sql: string): void {
    this.#use((database) => database.run(sql));
  }

  /**
   * Makes several changes one, alone among all processes. Nothing of it happens when `work` throws. Not nested.
   * @param durable whether it must be on the disk when this returns (some milliseconds)
   */
  transaction<Result>(work: () => Result, { durable = false }: { readonly durable?: boolean } = {}): Result {
    this.#use((database) => {
      this.#getReadyToWrite(database);
      if (durable) database.run("PRAGMA synchronous = FULL");
      database.run("BEGIN IMMEDIATE");
    });
    try {
      const result = work();
      this.#use((database) => database.run("COMMIT"));
      return result;
    } catch (error) {
      // SQLite has rolled back already after some failures, such as a full disk.
      if (this.#database?.inTransaction) this.#database.run("ROLLBACK");
      throw error;
    } finally {
      if (durable) this.#database?.run("PRAGMA synchronous = NORMAL");
      this.#letOthersIn();
    }
  }

  [Symbol.dispose](): void {
    process.off("exit", this.#close);
    this.#close();
  }

  /** What the first change asks for, and those that only read need not wait for. */
  #getReadyToWrite(database: Database): void {
    if (this.#isReadyToWrite || this.isReadOnly) return;
    database.run(
      `PRAGMA synchronous = NORMAL;
      PRAGMA foreign_keys = ON;
      PRAGMA wal_autocheckpoint = ${LOG_LIMIT}`,
    );
    reserveLog(this.#path);
    this.#isReadyToWrite = true;
  }

  readonly #close = (): void => {
    this.#database?.close();
    this.#database = undefined;
    this.#reconnect = undefined;
    // Not before: by then the log would have been moved.
    this.#reader?.[Symbol.dispose]();
  };

  #use<Result>(work: (database: Database) => Result): Result {
    try {
      this.#database ??= this.#reconnect?.();
      if (this.#database === undefined) throw new Error("a database was used after it was closed");
      return work(this.#database);
    } catch (error) {
      throw explainStateError(error, this.#path);
    } finally {
      this.#letOthersIn();
    }
  }

  /** Between two uses, if this connection locks others out. */
  #letOthersIn(): void {
    if (this.#reconnect === undefined || this.#database?.inTransaction !== false) return;
    this.#database.close();
    this.#database = undefined;
    this.#reader?.[Symbol.dispose]();
    this.#isReadyToWrite = false;
  }
}

/**
 * Opens the database, makes it when there is none, and brings the tables of some components up to date. Opening costs
 * about a millisecond: a command that needs no state does not do it.
 * @param directory Bunker's data directory; made, for the user alone, when it is missing
 * @throws BunkerError `state_damaged`, `state_newer` (written by a newer Bunker), `state_busy` (another process has kept
 *   it locked for half a minute), `state_read_only`, `state_unreadable`, `no_space`
 */
export function openStateDatabase(directory: string, components: readonly StateComponent[]): StateDatabase {
  const path = `${directory}/state.db`;
  try {
    if (!isWritable(directory)) return upToDate(openToRead(directory, path), components);
    try {
      return upToDate(openToWrite(path, lockMadeDatabase(directory, path)), components);
    } catch (error) {
      if (!lacksSpaceForIndex(error)) throw error;
      return upToDate(openAlone(directory, path), components);
    }
  } catch (error) {
    throw explainStateError(error, path);
  }
}

function isWritable(directory: string): boolean {
  // It is there nearly always, and looking before making it is one call less then.
  try {
    return canWrite(directory);
  } catch (error) {
    if (errnoOf(error) !== Errno.ENOENT) throw error;
  }
  try {
    makeDirectories(directory, 0o700);
    return canWrite(directory);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === Errno.EROFS || errno === Errno.EACCES || errno === Errno.EPERM) return false;
    throw error;
  }
}

/** Holds the reader's lock of a database that is made first when there is none. */
function lockMadeDatabase(directory: string, path: string): Disposable {
  try {
    return holdReadersLock(path);
  } catch (error) {
    if (errnoOf(error) !== Errno.ENOENT) throw error;
    create(directory, path);
    return holdReadersLock(path);
  }
}

/** Opens a database to read and write. The reader's lock is the connection's from now on. */
function openToWrite(path: string, reader: Disposable): StateDatabase {
  try {
    return new StateDatabase(connect(path, false), path, reader);
  } catch (error) {
    reader[Symbol.dispose]();
    throw error;
  }
}

/** @param isAlone whether others are locked out, and the log's file is left where it is at the end */
function connect(path: string, isAlone: boolean): Database {
  const database = new Database(path, constants.SQLITE_OPEN_READWRITE);
  try {
    database.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
    if (isAlone) {
      database.run("PRAGMA locking_mode = EXCLUSIVE");
      database.fileControl(constants.SQLITE_FCNTL_PERSIST_WAL, 1);
    }
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Opens a database that nobody else can use at the same moment. */
function openAlone(directory: string, path: string): StateDatabase {
  // Not the reader's, which would keep this very connection out.
  let turn: Disposable | undefined;
  const connectAlone = () => {
    const taken = awaitTurn(directory, path);
    try {
      const database = connect(path, true);
      turn = taken;
      return database;
    } catch (error) {
      taken[Symbol.dispose]();
      throw error;
    }
  };
  return new StateDatabase(connectAlone(), path, { [Symbol.dispose]: () => turn?.[Symbol.dispose]() }, connectAlone);
}

/**
 * Waits until no other connection is alone. Two that begin at once would each keep the lock of a reader, and wait for the
 * other one to give it up.
 * @throws BunkerError `state_busy`
 */
function awaitTurn(directory: string, path: string): Disposable {
  const opened = openFile(directory, OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY);
  const end = performance.now() + BUSY_TIMEOUT;
  while (lock(opened.number, Lock.exclusive | Lock.nonBlocking) === -Errno.EAGAIN) {
    if (performance.now() > end) {
      opened.close();
      throw new BunkerError({ operation: "use", object: path, ...BUSY });
    }
    Bun.sleepSync(1);
  }
  return opened;
}

/** Gives the log its room on the disk; see the head of this file. Without space, or where that is not to be had, it has none. */
function reserveLog(path: string): void {
  const name = `${path}-wal`;
  const log = statusIfThere(name);
  if (log === undefined || log.blocks * 512 >= LOG_RESERVE) return;
  using file = openFile(name, OpenFlag.O_RDWR | OpenFlag.O_NOFOLLOW);
  systemCall(SystemCall.fallocate, file.number, FALLOC_FL_KEEP_SIZE, 0, LOG_RESERVE);
}

/** Makes the file aside and links it, so that it is there whole or not at all. */
function create(directory: string, path: string): void {
  const aside = `${path}.${crypto.randomUUID()}`;
  using opened = openFile(directory, OpenFlag.O_RDONLY);
  // Nothing else is in it yet. What a home directory hands on would come out in layers, volumes and containers.
  stopInheritance(opened.number);
  try {
    openFile(aside, OpenFlag.O_WRONLY | OpenFlag.O_CREAT | OpenFlag.O_EXCL, 0o600).close();
    const database = new Database(aside, constants.SQLITE_OPEN_READWRITE);
    try {
      database.run("PRAGMA journal_mode = WAL");
      database.run(CREATE_COMPONENT);
    } finally {
      database.close();
    }
    linkFile(aside, path);
  } catch (error) {
    // Another process has been faster.
    if (errnoOf(error) !== Errno.EEXIST) throw error;
  } finally {
    for (const suffix of ["", "-wal", "-shm"]) unlinkIfThere(aside + suffix);
  }
  check(synchronize(opened.number), "synchronize", directory);
}

function openToRead(directory: string, path: string): StateDatabase {
  if (statusIfThere(path) === undefined) {
    // A directory without a database holds nothing.
    const empty = new Database(":memory:");
    empty.run(CREATE_COMPONENT);
    return new StateDatabase(empty, path, undefined);
  }
  const log = statusIfThere(`${path}-wal`);
  if (log === undefined || log.size === 0) {
    const name = `file:${encodeURI(path).replace(/[?#]/g, encodeURIComponent)}?immutable=1`;
    const database = new Database(name, constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI);
    return new StateDatabase(database, path, undefined);
  }
  try {
    const database = new Database(path, constants.SQLITE_OPEN_READONLY);
    database.query("SELECT 1 FROM component").get();
    return new StateDatabase(database, path, undefined);
  } catch (cause) {
    throw new BunkerError(
      {
        code: "state_read_only",
        operation: "read",
        object: path,
        reason: `its latest changes are in ${path}-wal, which can only be read where ${directory} can be written`,
        hint: "Run any command of Bunker's once as a user who may write there.",
      },
      { cause },
    );
  }
}

/** Brings the tables of a database up to date, which is closed when that fails. */
function upToDate(database: StateDatabase, components: readonly StateComponent[]): StateDatabase {
  try {
    database.include(components);
    return database;
  } catch (error) {
    database[Symbol.dispose]();
    throw error;
  }
}
