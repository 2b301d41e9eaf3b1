import type { BuildOptions, BuildOutput } from "../../../build/build-options.ts";
import { PROXY_VARIABLES } from "../../../build/graph/stage-variables.ts";
import { newImageName } from "../../../image/new-name.ts";
import { hostPlatform } from "../../../image/platform.ts";
import { BunkerError } from "../../../sys/error.ts";
import type { OptionValues } from "../../option-table.ts";
import { registrySettings } from "../../registry/registry-options.ts";
import { containerOptionsOf } from "./container-options.ts";
import type { buildSyntax } from "./options.ts";
import type { OutputOption } from "./output-option.ts";

/** What the options of the command came to. */
export type BuildValues = OptionValues<typeof buildSyntax.options>;

/**
 * Puts together what was asked for.
 * @throws BunkerError `conflicting_options`, `invalid_reference`, and as `containerOptionsOf`
 */
export async function requestedBuild(values: BuildValues, context: string): Promise<BuildOptions> {
  const { file, ignoreFile, pull, platforms, labels, buildArguments, buildContexts, network, allowed, target } = values;
  const { noCache, noCacheStages, annotations, jobs, sourceDateEpoch } = values;
  const { firstBase, passesProxies, timestamp, unsetVariables, unsetLabels, inheritsLabels } = values;
  const [firstPlatform] = platforms.flat();
  if (timestamp !== undefined && sourceDateEpoch !== undefined) {
    throw conflicting("--timestamp and --source-date-epoch");
  }
  const epoch = timestamp ?? sourceDateEpoch;
  return {
    context,
    dockerfile: file,
    ignoreFile,
    call: values.checks ? "check" : values.calls.call,
    target,
    firstBase,
    environment: values.environment.filter((entry) => entry !== undefined),
    unsetVariables,
    unsetLabels: inheritsLabels ? unsetLabels : "all",
    buildArguments: new Map([
      ...(epoch === undefined ? [] : [["SOURCE_DATE_EPOCH", String(epoch)] as const]),
      ...(passesProxies ? callersProxies() : []),
      ...buildArguments.filter((entry) => entry !== undefined),
    ]),
    buildContexts: new Map(buildContexts),
    noCache: noCache || !values.layers,
    squashes: values.squashesAll ? "everything" : values.squashes || !values.layers ? "added" : undefined,
    statesTimes: timestamp !== undefined,
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

/** The caller's variables about proxies, as build arguments. */
function callersProxies(): readonly (readonly [string, string])[] {
  return PROXY_VARIABLES.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
}

function conflicting(options: string): BunkerError {
  return new BunkerError({ code: "conflicting_options", operation: `conflicting options: ${options}` });
}

function outputsOf({ outputs, tags, loads, pushes, format, rewritesTimes }: BuildValues): readonly BuildOutput[] {
  const usual: OutputOption = {
    ...{ type: "image", destination: undefined, names: [], pushes, isArchive: true, compression: "gzip" },
    ...{ level: undefined, mediaTypes: undefined, rewritesTimes: true },
  };
  if (pushes && outputs.length > 0) {
    throw conflicting("--push and --output");
  }
  const wanted = outputs.length === 0 ? [usual] : loads ? [...outputs, usual] : outputs;
  return wanted.map((output) =>
    outputOf({ ...output, rewritesTimes: output.rewritesTimes && rewritesTimes }, tags, format),
  );
}

function outputOf(output: OutputOption, tags: readonly string[], format: "oci" | "docker"): BuildOutput {
  const { destination, compression, level, rewritesTimes } = output;
  if (output.type === "local" || output.type === "tar") return { type: output.type, destination: destination ?? "" };
  const own = output.names.map(newImageName);
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
