import { statSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";

const root = join(import.meta.dir, "..");
const path = join(root, "dist/bunker");
let checked = false;

/**
 * The built executable, for tests that call it as its users do. The first call of a test run builds it, if it is
 * missing or older than anything it is made of.
 * @returns its absolute path; `bunker-runtime` stands beside it
 */
export function executable(): string {
  if (!checked && modifiedAt(path) < newestSource()) {
    const built = Bun.spawnSync([process.execPath, "scripts/build.ts"], {
      cwd: root,
      stdout: "ignore",
      stderr: "pipe",
    });
    if (!built.success) throw new Error(`the executable cannot be built:\n${built.stderr}`);
  }
  checked = true;
  return path;
}

function newestSource(): number {
  const sources = [...new Glob("{src,scripts}/**/*").scanSync({ cwd: root }), "package.json", "package-lock.json"];
  return Math.max(...sources.map((source) => modifiedAt(join(root, source))));
}

/** Milliseconds since 1970, 0 for what does not exist. */
function modifiedAt(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
