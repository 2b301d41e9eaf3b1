/*
 * Writes dist/bunker, the whole product in one executable, and beside it the link dist/bunker-runtime by which other
 * engines call it as their OCI runtime.
 *
 *   bun scripts/build.ts [--target bun-linux-arm64] [--bun-executable FILE]
 *
 * For another target Bun is taken from FILE (as its npm packages @oven/bun-* hold it), or else downloaded by Bun.
 *
 * Why it is built like this, by measurement: with code splitting a command is a chunk that is loaded when it is called,
 * so that `bunker version` stays within a millisecond of a compiled hello world; in one chunk (ESM or CommonJS alike)
 * the start grows with the program. What goes into one chunk is decided in bundle/share-chunks.ts, and which commands
 * have a copy of the code for themselves in bundle/editions.ts. The bytecode saves another millisecond and a half of
 * parsing. A profile of the start (--bytecode-order) gains nothing. The source map costs 100 KB that are read for a
 * stack trace only. Bun's executable has no debugging symbols that could be stripped. What is built reads no
 * configuration of the directory that it happens to be started in.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { version } from "../package.json";
import { bundleSettings } from "./bundle/bundle.ts";
import { setAllocatorOptions } from "./executable/allocator-options.ts";
import { adviseLargePages } from "./executable/large-page-advice.ts";
import { alignToLargePages } from "./executable/large-page-segments.ts";

const root = resolve(import.meta.dir, "..");
const executable = `${root}/dist/bunker`;
const runtimeLink = `${root}/dist/bunker-runtime`;
// Written aside and renamed: nobody ever finds half an executable, and containers go on running from the old one.
const unfinished = `${root}/dist/.build-${process.pid}`;
const compiled = `${root}/dist/.compiled-${process.pid}`;

const { values } = parseArgs({
  options: { target: { type: "string" }, "bun-executable": { type: "string" } },
});

mkdirSync(`${root}/dist`, { recursive: true });
const built = await Bun.build({
  ...(await bundleSettings(root)),
  bytecode: true,
  sourcemap: "linked",
  define: { BUNKER_VERSION: JSON.stringify(version), BUNKER_COMMIT: JSON.stringify(gitCommit()) },
  compile: {
    ...(values.target === undefined ? {} : { target: compileTarget(values.target) }),
    ...(values["bun-executable"] === undefined ? {} : { executablePath: values["bun-executable"] }),
    outfile: compiled,
    // Until somebody calls compileReadily of sys/just-in-time.ts.
    jitPolicy: 20,
    autoloadDotenv: false,
    autoloadBunfig: false,
    autoloadTsconfig: false,
    autoloadPackageJson: false,
  },
});
for (const message of built.logs) console.error(String(message));
// The executable has its own copy of the source maps.
for (const output of built.outputs) if (output.kind === "sourcemap") rmSync(output.path);
const content = readFileSync(compiled);
rmSync(compiled);
if (!setAllocatorOptions(content))
  console.log("the allocator's options are left as they are; see scripts/executable/allocator-options.ts");
const aligned = alignToLargePages(content);
if (aligned === undefined)
  console.log("segments are left where they are; see scripts/executable/large-page-segments.ts");
const finished = aligned ?? content;
if (!adviseLargePages(finished))
  console.log("no large pages are asked for; see scripts/executable/large-page-advice.ts");
// A new file in one write: by that a file system chooses how large the pages are that it caches a file in.
writeFileSync(unfinished, finished, { mode: 0o755 });

renameSync(unfinished, executable);
symlinkSync("bunker", unfinished);
renameSync(unfinished, runtimeLink);
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
  if (isCompileTarget(name)) return name;
  throw new Error(`--target ${name}: expected bun-linux-x64 or bun-linux-arm64, or with -musl`);
}

function isCompileTarget(name: string): name is Bun.Build.CompileTarget {
  return /^bun-linux-(x64|arm64)(-musl)?$/.test(name);
}
