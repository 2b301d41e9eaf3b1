import { writeFileSync } from "node:fs";
import * as v from "valibot";
import { startBuild } from "../../../build/start-build.ts";
import { dataDirectory } from "../../../engine/data-directory.ts";
import { BunkerError, errnoOf } from "../../../sys/error.ts";
import { defineCommand } from "../../command.ts";
import { untilInterrupted } from "../../interruption.ts";
import { warning } from "../../messages.ts";
import { contentTrustUnknown } from "../content-trust-option.ts";
import { buildReportSchema } from "./build-report.ts";
import { buildSyntax } from "./options.ts";

/** `bunker build`. */
export const build = defineCommand(buildSyntax, async ({ options, operands: [context] }, _globals, words) => {
  const { calls, checks, disableContentTrust, idFile, metadataFile, quiet } = options;
  if (!disableContentTrust) throw contentTrustUnknown("build", context);
  const report = await untilInterrupted((signal) => startBuild(words, dataDirectory(), signal, warning));
  const { image, answer, warnings, isRefused } = v.parse(v.pipe(v.string(), v.parseJson(), buildReportSchema), report);
  if (answer !== undefined) {
    console.log(answer);
    return isRefused ? 1 : 0;
  }
  if (checks || calls.call === "check") return showChecks(warnings, isRefused);
  if (!quiet) showWarnings(warnings);
  // As docker has it, both are written although only files were.
  if (idFile !== undefined) write(idFile, image?.id ?? "");
  if (metadataFile !== undefined) write(metadataFile, `${JSON.stringify(metadataOf(image), null, 2)}\n`);
  if (quiet && image !== undefined) console.log(image.id);
  return 0;
});

function metadataOf(image: v.InferOutput<typeof buildReportSchema>["image"]): object {
  if (image === undefined) return {};
  const { id, mediaType, digest, size, names } = image;
  return {
    "containerimage.config.digest": id,
    "containerimage.descriptor": { mediaType, digest, size },
    "containerimage.digest": digest,
    ...(names.length === 0 ? {} : { "image.name": names.join(",") }),
  };
}

type Warnings = v.InferOutput<typeof buildReportSchema>["warnings"];

function showChecks(warnings: Warnings, isRefused: boolean): number {
  for (const { long } of warnings) console.log(`${long}\n`);
  const found = `${warnings.length} ${warnings.length === 1 ? "warning has" : "warnings have"} been found!`;
  console.log(`Check complete, ${warnings.length === 0 ? "no warnings found." : found}`);
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
