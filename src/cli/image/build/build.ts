import { writeFileSync } from "node:fs";
import * as v from "valibot";
import { findBuild } from "../../../build/build.ts";
import { dataDirectory } from "../../../engine/data-directory.ts";
import { BunkerError, errnoOf } from "../../../sys/error.ts";
import { defineCommand } from "../../command.ts";
import { untilInterrupted } from "../../interruption.ts";
import { warning } from "../../messages.ts";
import { print } from "../../print.ts";
import { contentTrustUnknown } from "../content-trust-option.ts";
import { type BuildReport, buildReportSchema, reportOf } from "./build-report.ts";
import { buildDisplay } from "./display.ts";
import { buildSyntax } from "./options.ts";
import { RecordedProgress } from "./recorded-progress.ts";
import { type BuildValues, requestedBuild } from "./requested-build.ts";

/** `bunker build`. */
export const build = defineCommand(buildSyntax, async ({ options, operands: [context] }, _globals, words) => {
  const { calls, checks, disableContentTrust, idFile, metadataFile, quiet } = options;
  if (!disableContentTrust) throw contentTrustUnknown("build", context);
  const report = await untilInterrupted((signal) => findOrStart(options, context, words, signal));
  const { image, answer, warnings, isRefused } = report;
  if (answer !== undefined) {
    print(answer);
    return isRefused ? 1 : 0;
  }
  if (checks || calls.call === "check") return showChecks(warnings, isRefused);
  if (!quiet) showWarnings(warnings);
  // As docker has it, both are written although only files were.
  if (idFile !== undefined) write(idFile, image?.id ?? "");
  if (metadataFile !== undefined) write(metadataFile, `${JSON.stringify(metadataOf(image), null, 2)}\n`);
  if (quiet && image !== undefined) print(image.id);
  return 0;
});

/** Has it done by root where it is not all in the cache. */
async function findOrStart(
  values: BuildValues,
  context: string,
  words: readonly string[],
  signal: AbortSignal,
): Promise<BuildReport> {
  const data = dataDirectory();
  const progress = new RecordedProgress();
  const result = await findBuild(await requestedBuild(values, context), data, progress.observer, signal);
  if ("found" in result) {
    const { startBuild } = await import("../../../build/start-build.ts");
    const report = await startBuild({ words, data, found: result.found }, signal, warning);
    return v.parse(v.pipe(v.string(), v.parseJson(), buildReportSchema), report);
  }
  progress.replay((now) => buildDisplay(values, now));
  return reportOf(result, values.calls.format);
}

function metadataOf(image: BuildReport["image"]): object {
  if (image === undefined) return {};
  const { id, mediaType, digest, size, names } = image;
  return {
    "containerimage.config.digest": id,
    "containerimage.descriptor": { mediaType, digest, size },
    "containerimage.digest": digest,
    ...(names.length === 0 ? {} : { "image.name": names.join(",") }),
  };
}

type Warnings = BuildReport["warnings"];

function showChecks(warnings: Warnings, isRefused: boolean): number {
  for (const { long } of warnings) print(`${long}\n`);
  const found = `${warnings.length} ${warnings.length === 1 ? "warning has" : "warnings have"} been found!`;
  print(`Check complete, ${warnings.length === 0 ? "no warnings found." : found}`);
  return isRefused ? 1 : 0;
}

function showWarnings(warnings: Warnings): void {
  if (warnings.length === 0) return;
  const count = `${warnings.length} ${warnings.length === 1 ? "warning" : "warnings"} found (--check shows the lines):`;
  process.stderr.write([` ${count}`, ...warnings.map(({ short }) => ` - ${short}`), ""].join("\n"));
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    throw new BunkerError(
      { code: "write_failed", operation: "write", object: path, errno: errnoOf(cause), exitStatus: 1 },
      { cause },
    );
  }
}
