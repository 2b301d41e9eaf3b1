import * as v from "valibot";
import { executeBuild } from "../../../build/build.ts";
import { foundKeysSchema } from "../../../build/files/context-keys.ts";
import { BunkerError } from "../../../sys/error.ts";
import { parseArguments } from "../../option-table.ts";
import { type BuildReport, reportOf } from "./build-report.ts";
import { buildDisplay } from "./display.ts";
import { buildSyntax } from "./options.ts";
import { requestedBuild } from "./requested-build.ts";

const requestSchema = v.object({ words: v.array(v.string()), data: v.string(), found: foundKeysSchema });

/**
 * Does a build in this process, which is root where it is, and shows its progress.
 * @param request the words of the command, Bunker's data directory, and what was found out before
 * @throws BunkerError as `executeBuild`
 */
export async function buildHere(request: unknown): Promise<BuildReport> {
  const { words, data, found } = v.parse(requestSchema, request);
  const given = parseArguments("bunker build", buildSyntax, words);
  if (given === "help") throw new Error("a build that asks for help");
  const { options, operands } = given;
  const build = await requestedBuild(options, operands[0]);
  const abort = new AbortController();
  // Ctrl-C comes from the terminal, and SIGTERM from the command beside; whoever wants it to end at once kills that.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () =>
      abort.abort(new BunkerError({ code: "interrupted", operation: `interrupted by ${name}`, exitStatus: 130 })),
    );
  }
  using display = buildDisplay(options);
  const result = await executeBuild(build, data, found, display.observer, abort.signal);
  return reportOf(result, options.calls.format);
}
