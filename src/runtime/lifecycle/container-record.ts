/*
 * What the runtime keeps about a container between its commands: one directory per container below the state root.
 *
 *   config.json     the bundle's configuration as it was at the creation
 *   resources.json  its limits, if they have been changed since
 *   state.json      the record below; written aside and renamed, so that it is whole whenever it is there
 *   failures.json   what the operations of the container's launch program are about, to read a failure at the start by
 *   start           FIFO, the gate: a container waits at it from its creation to its start
 *   failure         FIFO through which the container's process tells `start` that its exec failed
 *
 * mkdir(2) decides whose container an id is. A lock (flock(2)) on the directory lets one command at a time change the
 * container, and dies with its holder. Nothing of what changes by itself is recorded: whether the process lives is
 * asked of the kernel, by pid and start time; whether it waits at the gate shows by the gate having a reader, since the
 * exec closes it. So there is no state to repair after a kill -9: at worst a directory that `delete` removes, and whose
 * process, if there was one, ended itself as soon as it missed the runtime (container-program.ts).
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import * as v from "valibot";
import { isFrozen } from "../../cgroup/freezer.ts";
import { encodeText } from "../../sys/byte-string.ts";
import { Errno } from "../../sys/errno.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { Lock, lock, makeNodeAt, openAt } from "../../sys/file.ts";
import { FileDescriptor } from "../../sys/file-descriptor.ts";
import { loginName } from "../../sys/login-name.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { identify } from "../../sys/process-identity.ts";
import { removeTree } from "../../sys/remove-tree.ts";
import { FileMode } from "../../sys/stat.ts";
import { check } from "../../sys/system-call.ts";
import { type Configuration, parseConfiguration } from "../configuration/configuration.ts";
import { OCI_VERSION, type State } from "../state.ts";

const recordSchema = v.object({
  id: v.string(),
  bundle: v.string(),
  rootfs: v.string(),
  /** ISO 8601. */
  created: v.string(),
  /** Login name of who created it. */
  owner: v.string(),
  annotations: v.record(v.string(), v.string()),
  /** Absent until the process is complete. */
  process: v.optional(v.object({ pid: v.number(), startTime: v.number() })),
  /** Its cgroup, if it has one of its own. */
  group: v.optional(v.object({ path: v.string(), outermost: v.string(), unit: v.optional(v.string()) })),
});

/** What is recorded of a container. */
export type ContainerRecord = Readonly<v.InferOutput<typeof recordSchema>>;

/** A container's state as the commands `state` and `list` show it: the specification's, and what runc adds. */
export interface ShownState extends State {
  readonly pid: number;
  readonly rootfs: string;
  readonly created: string;
  readonly owner: string;
}

/** @throws BunkerError `invalid_id` for what could not be the name of a container, or of its directory */
function checkId(id: string): void {
  if (/^[\w+.-]+$/.test(id) && id !== "." && id !== ".." && id.length <= 1024) return;
  throw new BunkerError({
    code: "invalid_id",
    operation: "use container id",
    object: JSON.stringify(id),
    reason: "an id has 1 to 1024 letters, digits, _, +, - and .",
  });
}

/** The record of one container; see the head of this file. */
export class ContainerDirectory implements Disposable {
  readonly id: string;
  readonly path: string;
  readonly #descriptor: FileDescriptor;
  #configuration: Configuration | undefined;
  #isLocked = false;

  private constructor(id: string, path: string, descriptor: FileDescriptor) {
    this.id = id;
    this.path = path;
    this.#descriptor = descriptor;
  }

  /**
   * Takes an id that nobody has, and locks it.
   * @param root from `stateRoot`
   * @throws BunkerError `container_exists`, `invalid_id`
   */
  static claim(root: string, id: string): ContainerDirectory {
    checkId(id);
    try {
      mkdirSync(`${root}/${id}`, { mode: 0o700 });
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== Errno.EEXIST) {
        throw new BunkerError({ code: "state_root_unusable", operation: "record container", object: id, errno });
      }
      throw new BunkerError({
        code: "container_exists",
        operation: "create container",
        object: id,
        reason: "a container with that id exists",
      });
    }
    const claimed = ContainerDirectory.open(root, id);
    claimed.lock();
    return claimed;
  }

  /**
   * Opens the record of a container.
   * @throws BunkerError `container_not_found`, `invalid_id`
   */
  static open(root: string, id: string): ContainerDirectory {
    checkId(id);
    const path = `${root}/${id}`;
    const flags = OpenFlag.O_RDONLY | OpenFlag.O_DIRECTORY | OpenFlag.O_CLOEXEC;
    const result = openAt(AT_FDCWD, encodeText(path), flags);
    if (result === -Errno.ENOENT || result === -Errno.ENOTDIR) {
      throw new BunkerError({ code: "container_not_found", operation: `container ${id} does not exist` });
    }
    return new ContainerDirectory(id, path, new FileDescriptor(check(result, "open the record of container", id)));
  }

  /** The ids of all containers, sorted. */
  static ids(root: string): string[] {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .toSorted();
  }

  /** Waits until no other command changes the container, and keeps others from it until `unlock`. */
  lock(): void {
    check(lock(this.#descriptor.number, Lock.exclusive), "lock container", this.id);
    this.#isLocked = true;
  }

  /** Explicitly, because a child that was launched meanwhile holds copies of our descriptors until its exec. */
  unlock(): void {
    lock(this.#descriptor.number, Lock.release);
    this.#isLocked = false;
  }

  /** Whether another command is changing the container now. */
  isBusy(): boolean {
    // A second lock by the same descriptor would take the place of the first.
    if (this.#isLocked) return false;
    const result = lock(this.#descriptor.number, Lock.shared | Lock.nonBlocking);
    if (result === 0) this.unlock();
    return result === -Errno.EAGAIN;
  }

  /** Replaces a file of the record. */
  write(name: string, content: string): void {
    const aside = `${this.path}/.${name}-${process.pid}`;
    writeFileSync(aside, content, { mode: 0o600 });
    renameSync(aside, `${this.path}/${name}`);
  }

  writeRecord(record: Omit<ContainerRecord, "id" | "owner">): void {
    const uid = process.geteuid?.() ?? 0;
    const owner = loginName(uid) ?? String(uid);
    this.write("state.json", JSON.stringify({ id: this.id, owner, ...record }));
  }

  /** A file of the record, or undefined when it is not there. */
  read(name: string): string | undefined {
    try {
      return readFileSync(`${this.path}/${name}`, "utf8");
    } catch (error) {
      if (errnoOf(error) === Errno.ENOENT) return undefined;
      throw new BunkerError({
        code: "record_unreadable",
        operation: "read",
        object: `${this.path}/${name}`,
        errno: errnoOf(error),
      });
    }
  }

  /** The record, or undefined when the creation was killed before there was one. */
  record(): ContainerRecord | undefined {
    const text = this.read("state.json");
    if (text === undefined) return undefined;
    const result = v.safeParse(recordSchema, safelyParsed(text));
    if (result.success) return result.output;
    throw new BunkerError({
      code: "record_unreadable",
      operation: "read",
      object: `${this.path}/state.json`,
      reason: "that is no record of a container's",
      hint: `remove ${this.path} if the container has ended`,
    });
  }

  /** Records the configuration that the container is made from: as text, and as `parseConfiguration` has read that. */
  writeConfiguration({ text, configuration }: { readonly text: string; readonly configuration: Configuration }): void {
    this.write("config.json", text);
    this.#configuration = configuration;
  }

  /** The configuration that the container was made from. It never changes, and reading it takes long. */
  configuration(): Configuration {
    this.#configuration ??= parseConfiguration(this.read("config.json") ?? "", `${this.path}/config.json`);
    return this.#configuration;
  }

  /** What `state` shows, asked of the kernel now. */
  state(): ShownState {
    const record = this.record();
    const status = this.#status(record);
    return {
      ociVersion: OCI_VERSION,
      id: this.id,
      pid: status === "stopped" ? 0 : (record?.process?.pid ?? 0),
      status,
      bundle: record?.bundle ?? "",
      rootfs: record?.rootfs ?? "",
      created: record?.created ?? "",
      annotations: record?.annotations ?? {},
      owner: record?.owner ?? "",
    };
  }

  #status(record: ContainerRecord | undefined): State["status"] {
    if (record?.process === undefined) return this.isBusy() ? "creating" : "stopped";
    if (identify(record.process.pid)?.startTime !== record.process.startTime) return "stopped";
    const gate = this.openGate();
    gate?.close();
    if (gate !== undefined) return "created";
    return record.group !== undefined && isFrozen(record.group.path) ? "paused" : "running";
  }

  /** Makes the two FIFOs. */
  makeFifos(): void {
    for (const name of ["start", "failure"]) {
      const path = encodeText(`${this.path}/${name}`);
      check(makeNodeAt(AT_FDCWD, path, FileMode.fifo | 0o600), "make a FIFO for container", this.id);
    }
  }

  /**
   * Opens a FIFO.
   * @param flags of open(2); with O_NONBLOCK the opening alone does not block
   * @returns the descriptor, or the negated error number
   */
  openFifo(name: "start" | "failure", flags: number): number {
    return openAt(AT_FDCWD, encodeText(`${this.path}/${name}`), flags | OpenFlag.O_CLOEXEC);
  }

  /** The writing end of the gate, or undefined when no process waits there. */
  openGate(): FileDescriptor | undefined {
    const result = this.openFifo("start", OpenFlag.O_WRONLY | OpenFlag.O_NONBLOCK);
    return result === -Errno.ENXIO
      ? undefined
      : new FileDescriptor(check(result, "open the gate of container", this.id));
  }

  /** Forgets the container. */
  remove(): void {
    removeTree(this.path);
  }

  [Symbol.dispose](): void {
    this.unlock();
    this.#descriptor.close();
  }
}

function safelyParsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
