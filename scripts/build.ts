/*
 * Writes dist/bunker, the whole product in one executable, and beside it the link dist/bunker-runtime by which other
 * engines call it as their OCI runtime.
 *
 *   bun scripts/build.ts [--target bun-linux-arm64] [--bun-executable FILE]
 *
 * For another target Bun is taken from FILE (as its npm packages @oven/bun-* hold it), or else downloaded by Bun.
 *
 * Why it is built like this, by measurement of `bunker version` against a compiled hello world: with code splitting each
 * command is a chunk that is loaded when it is called, and the start costs the same as hello world's; in one chunk
 * (ESM or CommonJS) it costs a millisecond more, growing with the program. The bytecode spares the parser; the source
 * map costs 100 KB that are read only for a stack trace. The executable reads no configuration of the directory that
 * it happens to be started in. Bun's executable has no debugging symbols that could be stripped.
 */
import { mkdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { parseArgs } from "node:util";
import { version } from "../package.json";

const root = `${import.meta.dir}/..`;
const executable = `${root}/dist/bunker`;
const link = `${root}/dist/bunker-runtime`;

const { values } = parseArgs({
  options: { target: { type: "string" }, "bun-executable": { type: "string" } },
});

mkdirSync(`${root}/dist`, { recursive: true });
// Written anew, never over itself: a container may be running from the old file.
rmSync(executable, { force: true });
const built = await Bun.build({
  entrypoints: [`${root}/src/main.ts`],
  target: "bun",
  format: "esm",
  splitting: true,
  bytecode: true,
  minify: true,
  sourcemap: "linked",
  define: { BUNKER_VERSION: JSON.stringify(version), BUNKER_COMMIT: JSON.stringify(gitCommit()) },
  compile: {
    ...(values.target === undefined ? {} : { target: compileTarget(values.target) }),
    ...(values["bun-executable"] === undefined ? {} : { executablePath: values["bun-executable"] }),
    outfile: executable,
    autoloadDotenv: false,
    autoloadBunfig: false,
    autoloadTsconfig: false,
    autoloadPackageJson: false,
  },
});
for (const message of built.logs) console.error(String(message));
// The executable has its own copy of the source maps.
for (const output of built.outputs) if (output.kind === "sourcemap") rmSync(output.path);

rmSync(link, { force: true });
symlinkSync("bunker", link);
console.log(`dist/bunker ${(statSync(executable).size / 1e6).toFixed(1)} MB`);

/** The short hash of the commit that is checked out, "unknown" outside a git working tree. */
function gitCommit(): string {
  try {
    const git = Bun.spawnSync(["git", "-C", root, "rev-parse", "--short", "HEAD"], { stderr: "ignore" });
    return git.success ? git.stdout.toString().trim() : "unknown";
  } catch {
    // No git on this machine.
    return "unknown";
  }
}

function compileTarget(name: string): Bun.Build.CompileTarget {
  if (!isCompileTarget(name))
    throw new Error(`--target ${name}: expected bun-linux-x64 or bun-linux-arm64, or with -musl`);
  return name;
}

function isCompileTarget(name: string): name is Bun.Build.CompileTarget {
  return /^bun-linux-(x64|arm64)(-musl)?$/.test(name);
}
