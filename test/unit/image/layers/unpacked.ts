/* Unpacking in other processes: as root, and as an ordinary user in user namespaces of both kinds. */
import { chmodSync, chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * `root`: real root; `ids`: a user namespace with subordinate ids; `single`: one with the user's own id only; `outside`: as
 * the user, by calls of processes in such a namespace as `ids`, and what comes of it is looked at there.
 */
export type Place = "root" | "ids" | "single" | "outside";

export interface Outcome {
  readonly warnings: string[];
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
  /** What is in the store's tmp/ afterwards. */
  readonly left: string[];
  /** Bytes. */
  readonly peakMemory: number;
}

const isRoot = process.getuid?.() === 0;
const TEST_USER = "bunker-test";
const script = join(import.meta.dir, "fixtures/unpack-process.ts");

/** Where tests can run: real root only as root. */
export const places: readonly Place[] = isRoot ? ["root", "ids", "single", "outside"] : ["ids", "single", "outside"];

/** A directory that the test user may write to, removed at the end of the `using` block. */
export function workspace(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "bunker-layers-"));
  chmodSync(path, 0o755);
  if (isRoot) chownSync(path, testUserId("-u"), testUserId("-g"));
  return {
    path,
    [Symbol.dispose]: () => {
      if (isRoot) rmSync(path, { recursive: true, force: true });
      else run(enter("ids", ["rm", "-rf", path]));
    },
  };
}

function testUserId(option: "-u" | "-g"): number {
  return Number(run(["id", option, TEST_USER]));
}

/** A command that runs another one as user 0 of a place. */
export function enter(place: Place, command: readonly string[]): string[] {
  if (place === "root") return [...command];
  return asUser(["unshare", "-Urm", ...(place === "single" ? [] : ["--map-auto"]), "--", ...command]);
}

function asUser(command: readonly string[]): string[] {
  const user = isRoot ? ["setpriv", `--reuid=${TEST_USER}`, `--regid=${TEST_USER}`, "--init-groups"] : [];
  return [...user, ...command];
}

/** Runs a command to its end; its output. */
export function run(command: readonly string[], environment: Record<string, string> = {}): string {
  const result = Bun.spawnSync([...command], { env: { ...process.env, ...environment }, stderr: "pipe" });
  if (!result.success) throw new Error(`${command.join(" ")}: ${result.stderr}`);
  return result.stdout.toString("latin1");
}

export function unpackCommand(place: Place, image: string, store: string): string[] {
  const command = [process.execPath, script, image, store, place];
  return place === "outside" ? asUser(command) : enter(place, command);
}

/** Unpacks an image and says how it went. */
export function unpack(place: Place, image: string, store: string): Outcome {
  return JSON.parse(Buffer.from(run(unpackCommand(place, image, store)), "latin1").toString()) as Outcome;
}

/** The content of the only unpacked layer. */
export function onlyLayer(store: string): string {
  const [name, ...others] = readdirSync(`${store}/layers`);
  if (name === undefined || others.length > 0) throw new Error("expected one layer");
  return `${store}/layers/${name}/diff`;
}

/**
 * What is in a directory, as the place sees it: one line for each name, in `format` of find(1).
 * @param format such as `%p %y %m`
 */
export function list(place: Place, directory: string, format: string): string[] {
  const output = run(enter(place, ["find", directory, "-mindepth", "1", "-printf", `%P|${format}\\0`]), {
    LC_ALL: "C",
  });
  return output.split("\0").slice(0, -1).sort();
}
