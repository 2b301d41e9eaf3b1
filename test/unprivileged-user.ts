/*
 * The executable as ordinary users have it: each test file takes one, with a home of its own, and at the end of every
 * test asks what the runs have left behind. Everything that Bunker starts or mounts for this user can be told from what
 * others do at the same time, because the path of that home is in its environment or its mounts.
 */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { executable } from "./executable.ts";

/** `bunker-test` has subordinate ids, `bunker-bare` has none. */
export type UserName = "bunker-test" | "bunker-bare";

/**
 * Milliseconds after which something will not come about any more, however busy the machine is: less than a test may
 * take, so that it is told what was waited for.
 */
const PATIENCE = 50_000;

/** How a program ended, and what it said. */
export interface Outcome {
  /** The exit status; null when a signal killed it. */
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

export interface RunSettings {
  readonly input?: string | Uint8Array | undefined;
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
}

/** A program to talk with. */
interface Session {
  readonly process: Bun.Subprocess;
  /** All that it has written so far; in a terminal what it shows, otherwise its standard output. */
  shown(): string;
  /** Waits until a text or pattern has come, behind what earlier calls have found. */
  expect(what: string | RegExp): Promise<string>;
  type(text: string): void;
}

/** A program with pipes for its standard streams. */
export interface PipedSession extends Session {
  readonly process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  /** Ends its input, and waits for it to end. */
  finish(): Promise<Outcome>;
}

export interface TerminalSession extends Session {
  readonly terminal: Bun.Terminal;
}

export class UnprivilegedUser implements Disposable {
  readonly name: UserName;
  readonly uid: number;
  readonly gid: number;
  /** Belongs to the user, and goes with this object. */
  readonly directory: string;
  readonly home: string;
  readonly data: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The executable, where the user can reach it whatever directory the source is in. */
  readonly bunkerPath: string;

  constructor(name: UserName = "bunker-test") {
    if (process.getuid?.() !== 0)
      throw new Error("these tests run the executable as other users, so they must be root");
    makeUser(name);
    this.name = name;
    this.uid = Number(output(["id", "-u", name]));
    this.gid = Number(output(["id", "-g", name]));
    this.directory = mkdtempSync(join(tmpdir(), "bunker-e2e-"));
    chmodSync(this.directory, 0o755);
    this.home = this.makeDirectory("home");
    this.data = `${this.makeDirectory("data")}/bunker`;
    this.environment = {
      PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
      HOME: this.home,
      USER: name,
      LANG: "C.UTF-8",
      XDG_DATA_HOME: join(this.directory, "data"),
      XDG_RUNTIME_DIR: this.makeDirectory("runtime"),
      TMPDIR: this.makeDirectory("tmp"),
    };
    this.bunkerPath = join(this.directory, "bunker");
    linkOrCopy(executable(), this.bunkerPath);
  }

  /** A new directory of the user's. */
  makeDirectory(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path);
    this.own(path);
    return path;
  }

  /** Gives a file to the user. */
  own(path: string): void {
    chownSync(path, this.uid, this.gid);
  }

  /** A command that becomes the user and then what follows. */
  as(words: readonly string[]): string[] {
    return ["setpriv", `--reuid=${this.uid}`, `--regid=${this.gid}`, "--init-groups", "--", ...words];
  }

  /** Runs a program as the user to its end. */
  async execute(words: readonly string[], settings: RunSettings = {}): Promise<Outcome> {
    return finish(this.start(words, settings));
  }

  /** Runs `bunker` to its end. */
  bunker(words: readonly string[], settings: RunSettings = {}): Promise<Outcome> {
    return this.execute([this.bunkerPath, ...words], settings);
  }

  /** Runs `bunker run --rm` to its end. */
  run(words: readonly string[], settings: RunSettings = {}): Promise<Outcome> {
    return this.bunker(["run", "--rm", ...words], settings);
  }

  /** Starts a program as the user. Unless there is an input, its input is empty. */
  start(words: readonly string[], settings: RunSettings = {}) {
    return this.startAsRoot(this.as(words), settings);
  }

  /** Starts a program as root with the user's environment, in which `as` leads to the user. */
  startAsRoot(words: readonly string[], { input, environment = {}, directory }: RunSettings = {}) {
    return Bun.spawn([...words], {
      cwd: directory ?? this.home,
      env: { ...this.environment, ...environment },
      stdin: input === undefined ? "ignore" : typeof input === "string" ? Buffer.from(input) : input,
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  /** Starts `bunker run --rm -i` to talk with. */
  talkTo(words: readonly string[]): PipedSession {
    return this.talk([this.bunkerPath, "run", "--rm", "-i", ...words]);
  }

  /** Starts a program to talk with through pipes. */
  talk(words: readonly string[], settings: Omit<RunSettings, "input"> = {}): PipedSession {
    const child = Bun.spawn(this.as(words), {
      cwd: settings.directory ?? this.home,
      env: { ...this.environment, ...settings.environment },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    const output = new Transcript();
    const reading = output.readAll(child.stdout);
    const errors = new Response(child.stderr).text();
    return {
      process: child,
      shown: () => output.text,
      expect: (what) => output.expect(what),
      type: (text) => {
        child.stdin.write(text);
        child.stdin.flush();
      },
      finish: async () => {
        await child.stdin.end();
        await reading;
        return { status: await child.exited, output: output.text, errors: await errors };
      },
    };
  }

  /** Starts `bunker run --rm` in a terminal of 80 columns and 24 rows. */
  runInTerminal(words: readonly string[]): TerminalSession {
    return this.startInTerminal([this.bunkerPath, "run", "--rm", ...words]);
  }

  /** Starts a program in a terminal of 80 columns and 24 rows. */
  startInTerminal(words: readonly string[]): TerminalSession {
    const screen = new Transcript();
    const child = Bun.spawn(this.as(words), {
      cwd: this.home,
      env: { ...this.environment, TERM: "xterm" },
      terminal: { cols: 80, rows: 24, data: (_terminal, data) => screen.add(data) },
    });
    const { terminal } = child;
    if (terminal === undefined) throw new Error("no terminal was made");
    return {
      process: child,
      terminal,
      shown: () => screen.text,
      expect: (what) => screen.expect(what),
      type: (typed) => void terminal.write(typed),
    };
  }

  /**
   * What there is of containers of this user: processes, mounts, and files outside of the store of unpacked layers. The
   * namespaces of a container live as long as its processes or a mount of theirs.
   * @returns one line for each, none if nothing is left
   */
  traces(): string[] {
    return [...this.processes().map((pid) => `process ${describeProcess(pid)}`), ...this.mounts(), ...this.files()];
  }

  /** Waits until nothing is left of any container; what a killed Bunker leaves, the kernel takes away a moment later. */
  async expectNothingLeft(): Promise<void> {
    try {
      await eventually(
        () => this.traces().length === 0,
        () => `nothing to be left:\n${this.traces().join("\n")}`,
      );
    } finally {
      // One test's failure shall not be another's.
      for (const pid of this.processes()) kill(pid);
    }
  }

  /** The live processes that belong to this user's runs, in containers and outside. */
  processes(): number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => this.isOurs(pid));
  }

  private isOurs(pid: number): boolean {
    // Anything that ends while we look is not left.
    return ["environ", "cmdline", "mountinfo"].some((file) =>
      readIfThere(`/proc/${pid}/${file}`).includes(this.directory),
    );
  }

  private mounts(): string[] {
    return readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .filter((line) => line.includes(this.directory))
      .map((line) => `mount ${line}`);
  }

  private files(): string[] {
    const { data } = this;
    const places = ["containers", "tmp"].map((name) => join(data, name));
    const stores = listIfThere(`${data}/keep-id`).map((name) => `${data}/keep-id/${name}/tmp`);
    const { XDG_RUNTIME_DIR = "", TMPDIR = "" } = this.environment;
    return [...places, ...stores, this.home, XDG_RUNTIME_DIR, TMPDIR].flatMap((place) =>
      listIfThere(place).map((name) => `file ${join(place, name)}`),
    );
  }

  [Symbol.dispose](): void {
    // What still runs, after a test has failed or since it is just at its end, would write into what is being removed.
    for (let pids = this.processes(); pids.length > 0; pids = this.processes()) {
      for (const pid of pids) kill(pid);
      Bun.sleepSync(3);
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** What a program has written, and how far it has been looked at. */
class Transcript {
  text = "";
  private position = 0;
  private readonly decoder = new TextDecoder();

  add(bytes: Uint8Array): void {
    this.text += this.decoder.decode(bytes, { stream: true });
  }

  async readAll(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const bytes of stream) this.add(bytes);
  }

  async expect(what: string | RegExp): Promise<string> {
    let found: string | undefined;
    await eventually(
      () => {
        found = this.find(what);
        return found !== undefined;
      },
      () => `${what} behind ${JSON.stringify(this.text.slice(0, this.position))}; there is ${this.rest()}`,
    );
    return found ?? "";
  }

  private find(what: string | RegExp): string | undefined {
    const rest = this.text.slice(this.position);
    const [index, found] =
      typeof what === "string" ? [rest.indexOf(what), what] : [rest.search(what), what.exec(rest)?.[0] ?? ""];
    if (index < 0) return undefined;
    this.position += index + found.length;
    return found;
  }

  private rest(): string {
    return JSON.stringify(this.text.slice(this.position));
  }
}

/** What a process has open, as the links of /proc/PID/fd say; nothing when it has ended, or just closes something. */
export function openFiles(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((name) => readlinkSync(`/proc/${pid}/fd/${name}`));
  } catch {
    return [];
  }
}

/** Collects what a started program says until it ends. */
export async function finish(child: Bun.Subprocess<"ignore" | Uint8Array, "pipe", "pipe">): Promise<Outcome> {
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status: child.exitCode, output, errors };
}

/**
 * Waits for a condition, looking again and again.
 * @param expected says what did not come about
 */
export async function eventually(condition: () => boolean, expected: () => string): Promise<void> {
  const end = performance.now() + PATIENCE;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`expected ${expected()}`);
    await Bun.sleep(3);
  }
}

/** Makes an account if it is missing. */
export function makeUser(name: UserName): void {
  if (Bun.spawnSync(["id", "-u", name]).success) return;
  const withoutIds = name === "bunker-bare" ? ["-K", "SUB_UID_COUNT=0", "-K", "SUB_GID_COUNT=0"] : [];
  output(["useradd", "--create-home", "--shell", "/bin/bash", ...withoutIds, name]);
}

/** What a program writes. */
export function output(words: readonly string[]): string {
  const { success, stdout, stderr } = Bun.spawnSync([...words]);
  if (!success) throw new Error(`${words.join(" ")}: ${stderr}`);
  return stdout.toString();
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
    chmodSync(to, 0o755);
  }
}

/** Sends a signal to a process, unless it has just ended. */
export function kill(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function describeProcess(pid: number): string {
  return `${pid}: ${readIfThere(`/proc/${pid}/cmdline`).replaceAll("\0", " ")}`;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function listIfThere(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
