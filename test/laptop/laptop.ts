/*
 * A whole Debian system for tests that need what the machine at hand may lack: systemd with a user who is logged in, a
 * cgroup v2 subtree that is delegated to this user (cpu, io, memory, pids), and another kernel than the host's.
 *
 * It is User Mode Linux: Debian's kernel as an ordinary program, without KVM, with one processor. What a program computes
 * in it is as fast as outside; its system calls are slow. It boots in about five seconds. `build.bash` makes the disk
 * from packages, once on a machine. The laptop sees a directory of the host's (/host, through hostfs), where the
 * executable and the jobs are, and it is told about jobs over a serial line, which is a socket here; guest/agent.bash is
 * at the other end. Nothing that is written to its disk outlives it: the disk is a copy on write. That and the shared
 * directory lie in memory, because the whole laptop stands still while the host writes a file of its disk back.
 *
 * Users: `dev` has subordinate ids and a login session; `bare` has neither, like a service on somebody else's machine.
 */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable } from "../executable.ts";
import { cached } from "../fixtures/cached.ts";
import type { Outcome } from "../unprivileged-user.ts";

export type LaptopUser = "dev" | "bare" | "root";

const RECIPE = ["build.bash", "guest/agent.bash", "guest/laptop-agent.service"];

/** The directory with the laptop's kernel and disk. */
function laptopFiles(): string {
  const read = (name: string) => readFileSync(join(import.meta.dir, name), "utf8");
  return cached("laptop", RECIPE.map(read).join("\0"), (place) => {
    const built = Bun.spawnSync(["bash", join(import.meta.dir, "build.bash"), place], { stderr: "pipe" });
    if (!built.success) throw new Error(`the laptop cannot be built:\n${built.stderr}`);
  });
}

/**
 * In mount and pid namespaces of its own, so that nothing of the kernel outlives bash. The kernel must not be process 1
 * itself: after a panic it aborts, which nothing makes a process 1 do.
 */
const BOOT = `
  mount -t proc proc "$1/proc"
  mount --rbind /dev "$1/dev"
  mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
  mount --bind "$2" "$1/host"
  export HOME=/tmp TMPDIR=/dev/shm
  chroot "$1" /usr/bin/linux.uml ubd0=/tmp/disk.cow,/disk/disk.img \\
    root=/dev/ubda rw mem=2G seccomp=on quiet con=null con0=null,fd:2 ssl0=fd:0,fd:1
  exit
`;

/** A booted laptop. */
export class Laptop {
  readonly #directory: string;
  readonly #process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #waiting = new Map<string, (status: number) => void>();
  readonly #console: Promise<string>;
  #ready: () => void = () => {};
  #jobs = 0;

  /** @param bunker the executable */
  private constructor(files: string, bunker: string) {
    this.#directory = mkdtempSync("/dev/shm/bunker-laptop-");
    chmodSync(this.#directory, 0o755);
    mkdirSync(join(this.#directory, "jobs"));
    copyFileSync(bunker, join(this.#directory, "bunker"));
    this.#process = Bun.spawn(
      [
        // It ends with the tests, also when they are killed.
        ...["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child"],
        ...["bash", "-uc", BOOT, "boot", files, this.#directory],
      ],
      { stdin: "pipe", stdout: "pipe", stderr: "pipe" },
    );
    this.#console = new Response(this.#process.stderr).text();
  }

  /**
   * Boots a laptop.
   * @throws Error with what its console said when it does not come up
   */
  static async boot(): Promise<Laptop> {
    const laptop = new Laptop(laptopFiles(), executable());
    const ready = new Promise<void>((resolve) => {
      laptop.#ready = resolve;
    });
    const ended = laptop.#listen();
    const isUp = await Promise.race([ready.then(() => true), ended.then(() => false)]);
    if (isUp) return laptop;
    const said = await laptop.#console;
    await laptop.shutDown();
    throw new Error(`the laptop did not boot; its console ended with:\n${said.slice(-4000)}`);
  }

  async #listen(): Promise<void> {
    const decoder = new TextDecoder();
    let pending = "";
    for await (const bytes of this.#process.stdout) {
      pending += decoder.decode(bytes, { stream: true });
      const lines = pending.split("\n");
      pending = lines.pop() ?? "";
      for (const line of lines) this.#answer(line.trim());
    }
    for (const resolve of this.#waiting.values()) resolve(-1);
  }

  #answer(line: string): void {
    if (line === "ready") this.#ready();
    const [job = "", status] = line.split(" ");
    this.#waiting.get(job)?.(Number(status));
    this.#waiting.delete(job);
  }

  /**
   * Runs a bash script in the laptop to its end. The executable is `bunker` in its PATH; scripts may run side by side.
   * @returns its status, -1 if the laptop went away, and what it wrote
   */
  async run(script: string, user: LaptopUser = "dev"): Promise<Outcome> {
    const job = String(++this.#jobs);
    const place = join(this.#directory, "jobs", job);
    mkdirSync(place);
    for (const name of ["stdout", "stderr"]) writeFileSync(join(place, name), "");
    writeFileSync(join(place, "job"), script);
    Bun.spawnSync(["chmod", "-R", "a+rwX", place]);
    const ended = new Promise<number>((resolve) => this.#waiting.set(job, resolve));
    this.#process.stdin.write(`${user} ${job}\n`);
    this.#process.stdin.flush();
    const status = await ended;
    const read = (name: string) => readFileSync(join(place, name), "utf8");
    return { status, output: read("stdout"), errors: read("stderr") };
  }

  /** Switches the laptop off, as a pulled plug would; nothing of it is left. */
  async shutDown(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
