import { writeSync } from "node:fs";
import * as v from "valibot";
import { executeBuild } from "../../../build/build.ts";
import type { BuildOptions, BuildOutput } from "../../../build/build-options.ts";
import { explainedWarning, shortWarning } from "../../../build/lint/lint-warning.ts";
import type { BuildObserver } from "../../../build/progress.ts";
import { hostPlatform } from "../../../image/platform.ts";
import { formatReference, parseReference, withDefaultTag } from "../../../image/reference.ts";
import { BunkerError } from "../../../sys/error.ts";
import { parseArguments } from "../../option-table.ts";
import { registrySettings } from "../../registry/registry-options.ts";
import type { BuildReport } from "./build-report.ts";
import { describedBuild } from "./call-output.ts";
import { containerOptionsOf } from "./container-options.ts";
import { buildSyntax } from "./options.ts";
import type { OutputOption } from "./output-option.ts";
import { plainProgress, quietProgress } from "./plain-progress.ts";
import { rawProgress } from "./raw-progress.ts";
import { terminalProgress } from "./terminal-progress.ts";

const requestSchema = v.object({ words: v.array(v.string()), data: v.string() });

type Values = Exclude<ReturnType<typeof parseBuildWords>, "help">["options"];

function parseBuildWords(words: readonly string[]) {
  return parseArguments("bunker build", buildSyntax, words);
}

/**
 * Does a build in this process, which is root where it is, and shows its progress.
 * @param request the words of the command, and Bunker's data directory
 * @throws BunkerError as `executeBuild`
 */
export async function buildHere(request: unknown): Promise<BuildReport> {
  const { words, data } = v.parse(requestSchema, request);
  const given = parseBuildWords(words);
  if (given === "help") throw new Error("a build that asks for help");
  const options = await buildOptionsOf(given.options, given.operands[0]);
  const abort = new AbortController();
  // Ctrl-C comes from the terminal, and SIGTERM from the command beside; whoever wants it to end at once kills that.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () =>
      abort.abort(new BunkerError({ code: "interrupted", operation: `interrupted by ${name}`, exitStatus: 130 })),
    );
  }
  using display = displayOf(given.options);
  const { image, warnings, isRefused, description } = await executeBuild(options, data, display.observer, abort.signal);
  const answer = description && describedBuild(description, warnings, given.options.calls.format);
  return {
    ...(answer === undefined ? {} : { answer }),
    ...(image === undefined ? {} : { image: { ...image, names: [...image.names] } }),
    warnings: warnings.map((warning) => ({ short: shortWarning(warning), long: explainedWarning(warning) })),
    isRefused,
  };
}

function displayOf({ progress, quiet, checks, calls }: Values): Disposable & { readonly observer: BuildObserver } {
  const write = (text: string) => {
    let bytes = Buffer.from(text);
    while (bytes.length > 0) bytes = bytes.subarray(writeSync(2, bytes));
  };
  const plain = (observer: BuildObserver) => ({ observer, [Symbol.dispose]: () => undefined });
  if (quiet || progress === "quiet" || progress === "none" || checks || calls.call !== "build")
    return plain(quietProgress(write));
  if (progress === "rawjson") return plain(rawProgress(write));
  const { stderr } = process;
  if (progress === "plain" || (progress === "auto" && !stderr.isTTY)) return plain(plainProgress(write));
  const terminal = {
    write,
    get columns() {
      return stderr.columns ?? 80;
    },
    get rows() {
      return stderr.rows ?? 24;
    },
  };
  const observer = terminalProgress(terminal);
  return { observer, [Symbol.dispose]: () => observer[Symbol.dispose]() };
}

/**
 * Puts together what was asked for.
 * @throws BunkerError `conflicting_options`, `invalid_reference`, and as `containerOptionsOf`
 */
async function buildOptionsOf(values: Values, context: string): Promise<BuildOptions> {
  const { file, ignoreFile, pull, platforms, labels, buildArguments, buildContexts, network, allowed, target } = values;
  const { noCache, noCacheStages, annotations, jobs, sourceDateEpoch } = values;
  const [firstPlatform] = platforms.flat();
  return {
    context,
    dockerfile: file,
    ignoreFile,
    call: values.checks ? "check" : values.calls.call,
    target,
    buildArguments: new Map([
      ...(sourceDateEpoch === undefined ? [] : [["SOURCE_DATE_EPOCH", String(sourceDateEpoch)] as const]),
      ...buildArguments.filter((entry) => entry !== undefined),
    ]),
    buildContexts: new Map(buildContexts),
    noCache: noCache || !values.layers,
    squashes: values.squashes || !values.layers,
    omitsHistory: values.omitsHistory,
    noCacheStages: noCacheStages.flatMap((names) => names.split(",")),
    pull,
    registrySettings: registrySettings(values),
    platforms: firstPlatform === undefined ? [hostPlatform()] : platforms.flat(),
    labels: Object.fromEntries(labels),
    annotations,
    network,
    allowed: [...allowed, ...(network === "host" ? ["network.host"] : [])],
    secrets: values.secrets,
    agents: values.agents,
    provenance: values.attestations.at(-1) ?? values.provenance,
    outputs: outputsOf(values),
    cacheSources: values.cacheSources.flat(),
    cacheDestinations: values.cacheDestinations,
    containers: await containerOptionsOf(values),
    jobs,
  };
}

function outputsOf({ outputs, tags, loads, pushes, format }: Values): readonly BuildOutput[] {
  const usual: OutputOption = {
    ...{ type: "image", destination: undefined, names: [], pushes, isArchive: true, compression: "gzip" },
    ...{ level: undefined, mediaTypes: undefined, rewritesTimes: true },
  };
  if (pushes && outputs.length > 0) {
    throw new BunkerError({ code: "conflicting_options", operation: "conflicting options: --push and --output" });
  }
  const wanted = outputs.length === 0 ? [usual] : loads ? [...outputs, usual] : outputs;
  return wanted.map((output) => outputOf(output, tags, format));
}

function outputOf(output: OutputOption, tags: readonly string[], format: "oci" | "docker"): BuildOutput {
  const { destination, compression, level, rewritesTimes } = output;
  if (output.type === "local" || output.type === "tar") return { type: output.type, destination: destination ?? "" };
  const own = output.names.map((name) => formatReference(withDefaultTag(parseReference(name))));
  const names = [...new Set([...tags, ...own])];
  const mediaTypes = output.mediaTypes ?? format;
  const packing = { compression, level, mediaTypes, rewritesTimes };
  if (output.type === "oci" || output.type === "docker") {
    return { type: output.type, names, destination, isDirectory: !output.isArchive, packing };
  }
  if (output.pushes && names.length === 0) {
    throw new BunkerError({
      code: "conflicting_options",
      operation: "push the image",
      reason: "it has no name",
      hint: "Name it with -t.",
    });
  }
  return { type: "image", names, pushes: output.pushes, packing };
}
