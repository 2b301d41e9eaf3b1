/*
 * A place for end-to-end tests of the OCI runtime: a directory of one user's with a busybox root file system, bundles
 * made on demand, and the compiled executable called as that user. `leftovers` says what the runtime has left behind.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Configuration,
  formatConfiguration,
  type Linux,
  type Process,
} from "../src/runtime/configuration/configuration.ts";
import type { NamespaceType } from "../src/runtime/configuration/namespaces.ts";
import { executable } from "./executable.ts";
import { kill, makeUser, type Outcome, output, type UserName } from "./unprivileged-user.ts";

/** An account of this machine. */
export interface TestUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** The first subordinate id, undefined for a user without. */
  readonly subordinate: number | undefined;
}

/** An account of this machine, made if it is one of the tests'. */
export function testUser(name: UserName | "root"): TestUser {
  if (name !== "root") makeUser(name);
  const range = new RegExp(`^${name}:(\\d+):`, "m").exec(readFileSync("/etc/subuid", "utf8"));
  return {
    name,
    uid: Number(output(["id", "-u", name])),
    gid: Number(output(["id", "-g", name])),
    subordinate: range === null ? undefined : Number(range[1]),
  };
}

/** What a bundle differs in from the plain one; see `RuntimeSandbox.bundle`. */
export interface BundleChanges {
  readonly process?: Partial<Process>;
  readonly linux?: Partial<Linux>;
  /** Besides /proc, /dev and /dev/pts. */
  readonly mounts?: Configuration["mounts"];
  readonly rest?: Partial<Configuration>;
  /** The namespaces of the container's own; by default all but those of time. */
  readonly namespaces?: readonly NamespaceType[];
}

const ALL: readonly NamespaceType[] = ["user", "mount", "pid", "ipc", "uts", "network", "cgroup"];

/** A user's directory with a root file system; dispose it at the end. */
export class RuntimeSandbox implements Disposable {
  readonly user: TestUser;
  readonly path: string;
  readonly rootfs: string;
  readonly stateRoot: string;
  /** In the environment of every process that comes from here. */
  readonly mark: string;
  readonly #prefix: readonly string[];
  #bundles = 0;

  /** @param prefix words of a command that calls the runtime as its arguments, as root */
  constructor(user: TestUser, prefix: readonly string[] = []) {
    this.user = user;
    this.#prefix = prefix;
    this.path = mkdtempSync(join(tmpdir(), "bunker-runtime-"));
    this.mark = `BUNKER_TEST=${this.path}`;
    this.rootfs = join(this.path, "rootfs");
    this.stateRoot = join(this.path, "state");
    chmodSync(this.path, 0o755);
    mkdirSync(join(this.rootfs, "bin"), { recursive: true });
    output(["cp", "/bin/busybox", join(this.rootfs, "bin/busybox")]);
    for (const name of ["etc", "proc", "dev", "sys", "tmp", "data"]) mkdirSync(join(this.rootfs, name));
    output(["chroot", this.rootfs, "/bin/busybox", "--install", "-s", "/bin"]);
    output(["chown", "-hR", `${user.uid}:${user.gid}`, this.path]);
  }

  /** Writes a file of the user's. Returns its path. */
  file(name: string, content: string, mode = 0o644): string {
    const path = join(this.path, name);
    writeFileSync(path, content, { mode });
    chmodSync(path, mode);
    chownSync(path, this.user.uid, this.user.gid);
    return path;
  }

  /** The plain container's configuration with changes: busybox, root, all namespaces, the user's whole id map. */
  configuration(command: readonly string[], changes: BundleChanges = {}): Configuration {
    const { uid, gid, subordinate } = this.user;
    const namespaces = changes.namespaces ?? (uid === 0 ? ALL.filter((type) => type !== "user") : ALL);
    const mapping = (own: number) => [
      { containerID: 0, hostID: own, size: 1 },
      ...(subordinate === undefined ? [] : [{ containerID: 1, hostID: subordinate, size: 65536 }]),
    ];
    const idMap = namespaces.includes("user") ? { uidMappings: mapping(uid), gidMappings: mapping(gid) } : {};
    return {
      ociVersion: "1.2.0",
      root: { path: this.rootfs },
      process: {
        user: { uid: 0, gid: 0 },
        args: command,
        cwd: "/",
        ...changes.process,
        env: ["PATH=/bin", this.mark, ...(changes.process?.env ?? [])],
      },
      mounts: [
        { destination: "/proc", type: "proc", source: "proc" },
        { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] },
        { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"] },
        ...(changes.mounts ?? []),
      ],
      linux: { namespaces: namespaces.map((type) => ({ type })), ...idMap, ...changes.linux },
      ...changes.rest,
    };
  }

  /** Makes a bundle whose container executes `command`. Returns its directory. */
  bundle(command: readonly string[], changes: BundleChanges = {}): string {
    return this.rawBundle(formatConfiguration(this.configuration(command, changes)));
  }

  /** Makes a bundle of any text. */
  rawBundle(text: string): string {
    const path = join(this.path, `bundle-${this.#bundles++}`);
    mkdirSync(path);
    writeFileSync(join(path, "config.json"), text);
    output(["chown", "-R", `${this.user.uid}:${this.user.gid}`, path]);
    return path;
  }

  /** The command line that calls the runtime as the user. */
  words(...words: readonly string[]): string[] {
    const { uid, gid } = this.user;
    const become = uid === process.getuid?.() ? [] : ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
    return [...this.#prefix, ...become, `${executable()}-runtime`, "--root", this.stateRoot, ...words];
  }

  get environment(): Record<string, string> {
    const [name = "", value = ""] = this.mark.split("=");
    return { PATH: process.env["PATH"] ?? "", [name]: value };
  }

  /** Calls the runtime. What it says goes through files, because a detached container keeps the ends of pipes. */
  runtime(...words: readonly string[]): Outcome {
    const files = [join(this.path, ".output"), join(this.path, ".errors")] as const;
    const [output, errors] = files.map((path) => openSync(path, "w")) as [number, number];
    try {
      const { exitCode } = Bun.spawnSync(this.words(...words), {
        cwd: this.path,
        env: this.environment,
        stdio: ["ignore", output, errors],
      });
      return { status: exitCode, output: readFileSync(files[0], "utf8"), errors: readFileSync(files[1], "utf8") };
    } finally {
      closeSync(output);
      closeSync(errors);
    }
  }

  /** Starts the runtime and goes on. */
  start(...words: readonly string[]) {
    const options = { cwd: this.path, env: this.environment } as const;
    return Bun.spawn(this.words(...words), { ...options, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  }

  /** Runs a container in the foreground. */
  run(command: readonly string[], changes: BundleChanges = {}): Outcome {
    return this.runtime("run", "--bundle", this.bundle(command, changes), "test");
  }

  /** Runs a shell script in a container and gives its output; throws when anything fails. */
  shell(script: string, changes: BundleChanges = {}): string {
    const outcome = this.run(["sh", "-c", script], changes);
    if (outcome.status === 0 && outcome.errors === "") return outcome.output.trimEnd();
    throw new Error(`status ${outcome.status}: ${outcome.output}${outcome.errors}`);
  }

  /** Processes, mounts and records that are still there. */
  leftovers(): readonly string[] {
    const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && this.#isOurs(name));
    const mounts = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .filter((line) => line.includes(this.path));
    return [...processes.map((pid) => `process ${pid}`), ...mounts, ...this.#records()];
  }

  /** Takes away what `leftovers` finds, so that the next test does not. */
  cleanUp(): void {
    for (const name of readdirSync("/proc")) if (/^\d+$/.test(name) && this.#isOurs(name)) kill(Number(name));
    rmSync(this.stateRoot, { recursive: true, force: true });
  }

  #isOurs(pid: string): boolean {
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(this.mark);
    } catch {
      return false;
    }
  }

  #records(): string[] {
    try {
      return readdirSync(this.stateRoot);
    } catch {
      return [];
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
