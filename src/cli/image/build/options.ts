import type { PullPolicy } from "../../../engine/images/pull-request.ts";
import { type Platform, parsePlatform } from "../../../image/platform.ts";
import { formatReference, parseReference, withDefaultTag } from "../../../image/reference.ts";
import { nearestName } from "../../../nearest-name.ts";
import { BunkerError } from "../../../sys/error.ts";
import { InvalidValue } from "../../invalid-value.ts";
import { flag, list, parseBoolean, single } from "../../option.ts";
import { connectionOptions, retryOptions } from "../../registry/registry-options.ts";
import { oneOf } from "../../values/choice.ts";
import { importedVariable } from "../../values/environment-option.ts";
import { parseAnnotation, parseLabel } from "../../values/life-values.ts";
import { integerBetween } from "../../values/numbers.ts";
import { parseSecretOption, parseSshOption } from "../../values/secret-option.ts";
import { notEmpty } from "../../values/words.ts";
import { disableContentTrustOption } from "../content-trust-option.ts";
import { parseCacheDestination, parseCacheSource } from "./cache-option.ts";
import { containerOptions } from "./container-options.ts";
import { parseOutputOption } from "./output-option.ts";
import { podmanOptions } from "./podman-options.ts";

const PROGRESS = ["auto", "plain", "tty", "quiet", "none", "rawjson"] as const;
const CALLS = ["build", "check", "outline", "targets"] as const;
const ENTITLEMENTS = ["network.host", "security.insecure"] as const;

/** The words of `bunker build`, with Docker's meaning. */
export const buildSyntax = {
  options: {
    allowed: list({
      name: "allow",
      valueName: "ENTITLEMENT",
      description: "Let RUN ask for network.host or security.insecure",
      parse: oneOf(...ENTITLEMENTS),
    }),
    annotations: list({
      name: "annotation",
      valueName: "[PLACE:]KEY=VALUE",
      description: "Annotate the image's manifest, or its index",
      parse: parseAnnotationOption,
    }),
    attestations: list({
      name: "attest",
      valueName: "type=provenance[,mode=MODE]",
      description: "Say beside the image how it was built",
      parse: parseAttestation,
    }),
    buildArguments: list({
      name: "build-arg",
      valueName: "NAME[=VALUE]",
      description: "Set an ARG, or pass on the caller's variable",
      parse: parseBuildArgument,
    }),
    builder: single({
      name: "builder",
      valueName: "default",
      description: "There is one builder, this one",
      parse: onlyWord("default", "Bunker is the only builder; no other can be chosen"),
    }),
    buildContexts: list({
      name: "build-context",
      valueName: "NAME=SOURCE",
      description: "Give a name to another directory, image or URL",
      parse: parseNamedValue,
    }),
    cacheSources: list({
      name: "cache-from",
      valueName: "NAME|type=TYPE[,KEY=VALUE]",
      description: "Take over from a cache elsewhere: registry, local",
      parse: parseCacheSource,
    }),
    cacheDestinations: list({
      name: "cache-to",
      valueName: "NAME|type=TYPE[,KEY=VALUE]",
      description: "Write the build's cache elsewhere: registry, local, inline",
      parse: parseCacheDestination,
    }),
    calls: single({
      name: "call",
      aliases: ["print"],
      valueName: "build|check|outline|targets[,format=json]",
      description: "What is done with the Dockerfile",
      parse: parseCall,
      initial: { call: "build", format: "text" },
      initialText: "build",
    }),
    checks: flag({ name: "check", description: "Only check the Dockerfile, as --call check" }),
    compresses: flag({
      name: "compress",
      description: "Compress the context that is sent to a builder: none is sent",
    }),
    disableContentTrust: disableContentTrustOption,
    file: single({
      name: "file",
      short: "f",
      valueName: "FILE",
      description: "The Dockerfile, or - for standard input",
      parse: notEmpty("expected a path"),
    }),
    idFile: single({
      name: "iidfile",
      valueName: "FILE",
      description: "Write the image's id to a file",
      parse: notEmpty("expected a path"),
    }),
    format: single({
      name: "format",
      valueName: "oci|docker",
      description: "Media types of images, unless an output says them",
      parse: oneOf("oci", "docker"),
      initial: "oci",
      initialText: "oci",
    }),
    ignoreFile: single({
      name: "ignorefile",
      valueName: "FILE",
      description: "Leave out of the context what this file says, instead of .dockerignore",
      parse: notEmpty("expected a path"),
    }),
    isolation: single({
      name: "isolation",
      valueName: "default|oci|rootless",
      description: "How commands are kept apart: in containers, as run has them",
      parse: oneOf("default", "oci", "rootless"),
    }),
    jobs: single({
      name: "jobs",
      valueName: "COUNT",
      description: "How many commands run at the same time; as many as processors unless given",
      parse: integerBetween(1, 1024),
    }),
    labels: list({
      name: "label",
      valueName: "KEY[=VALUE]",
      description: "Set a label of the image",
      parse: parseLabel,
    }),
    layers: flag({
      name: "layers",
      initial: true,
      description: "Make a layer of each step; false as --no-cache --squash",
    }),
    loads: flag({ name: "load", description: "Bring the image into the image store, as without --output" }),
    metadataFile: single({
      name: "metadata-file",
      valueName: "FILE",
      description: "Write what was made to a file, as JSON",
      parse: notEmpty("expected a path"),
    }),
    network: single({
      name: "network",
      valueName: "default|none|host",
      description: "The network of commands",
      parse: oneOf("default", "none", "host"),
      initial: "default",
      initialText: "default",
    }),
    noCache: flag({ name: "no-cache", description: "Take nothing from the build cache" }),
    noCacheStages: list({
      name: "no-cache-filter",
      valueName: "STAGE",
      description: "Take nothing of a stage from the build cache",
      parse: notEmpty("expected the name of a stage"),
    }),
    omitsHistory: flag({ name: "omit-history", description: "Say nothing in the image of how it was made" }),
    outputs: list({
      name: "output",
      short: "o",
      valueName: "type=TYPE[,KEY=VALUE]",
      description: "Where the result goes: image, oci, docker, tar, local, registry",
      parse: parseOutputOption,
    }),
    platforms: list({
      name: "platform",
      valueName: "PLATFORM",
      description: "What is built for, such as linux/arm64; several make an index",
      parse: parsePlatformsOption,
    }),
    progress: single({
      name: "progress",
      valueName: PROGRESS.join("|"),
      description: "How the build is shown",
      parse: oneOf(...PROGRESS),
      initial: "auto",
      initialText: "auto",
    }),
    provenance: single({
      name: "provenance",
      valueName: "true|false|mode=min|mode=max",
      description: "Say beside the image how it was built",
      parse: parseProvenance,
    }),
    pull: {
      ...flag({
        name: "pull",
        description: "Ask registries for images although they are here; also always, missing, newer or never",
      }),
      parse: parsePull,
      collect: (policies: readonly PullPolicy[]) => policies.at(-1) ?? "missing",
    },
    pushes: flag({ name: "push", description: "Push the image, as --output type=registry" }),
    quiet: flag({ name: "quiet", short: "q", description: "Say nothing but the image's id" }),
    removesContainers: {
      ...flag({ name: "rm", initial: true, description: "Leave no containers of steps behind: there are none" }),
      parse: parseRemoval,
    },
    removesFailed: flag({
      name: "force-rm",
      description: "Leave none of failed steps either: there are none",
    }),
    packageList: single({
      name: "sbom",
      valueName: "false",
      description: "Bunker lists no packages of images",
      parse: parsePackageList,
    }),
    secrets: list({
      name: "secret",
      valueName: "id=ID[,src=FILE|,env=NAME]",
      description: "A secret that RUN --mount=type=secret may ask for",
      parse: parseSecretOption,
    }),
    sourceDateEpoch: single({
      name: "source-date-epoch",
      valueName: "SECONDS",
      description: "No time in the image is later, in seconds since 1970; also --build-arg SOURCE_DATE_EPOCH",
      parse: integerBetween(0, 99_999_999_999),
    }),
    agents: list({
      name: "ssh",
      valueName: "default|ID[=SOCKET|KEY[,KEY]]",
      description: "An ssh agent, or keys, that RUN --mount=type=ssh may ask for",
      parse: parseSshOption,
    }),
    squashes: flag({ name: "squash", description: "Make one layer of all that the build adds to its base" }),
    tags: list({ name: "tag", short: "t", valueName: "NAME[:TAG]", description: "Name the image", parse: parseTag }),
    ...connectionOptions,
    ...retryOptions,
    ...containerOptions,
    ...podmanOptions,
    target: single({
      name: "target",
      valueName: "STAGE",
      description: "Build this stage instead of the last",
      parse: notEmpty("expected the name of a stage"),
    }),
  },
  // What takes long is done by another process.
  isBrief: true,
  required: ["CONTEXT"],
  failureStatus: 1,
} as const;

function parseCall(text: string) {
  const [call = "", ...rest] = text.split(",");
  const formats = rest.map((word) => {
    if (!word.startsWith("format=")) throw new InvalidValue("expected nothing but format=json behind the comma");
    return oneOf("text", "json")(word.slice("format=".length));
  });
  return { call: oneOf(...CALLS)(call), format: formats.at(-1) ?? "text" } as const;
}

/** For what there is one of: only its name is taken. */
function onlyWord(word: string, reason: string): (text: string) => undefined {
  return (text) => {
    if (text !== word) throw new InvalidValue(reason);
    return undefined;
  };
}

/** Docker's flag, and the words of Podman's. */
function parsePull(text: string): PullPolicy {
  if (text === "always" || text === "missing" || text === "newer" || text === "never") return text;
  if (text === "ifnotpresent") return "missing";
  return parseBoolean(text) ? "always" : "missing";
}

function parseRemoval(text: string): true {
  if (parseBoolean(text)) return true;
  throw new InvalidValue("a step's container is gone with it; run the command in a container to look around");
}

function parseProvenance(text: string): "min" | "max" | undefined {
  if (text === "mode=min" || text === "mode=max") return text === "mode=min" ? "min" : "max";
  return parseBoolean(text) ? "min" : undefined;
}

function parsePackageList(text: string): false {
  if (!parseBoolean(text)) return false;
  throw new InvalidValue("Bunker lists no packages; have a scanner do it, such as syft on `bunker save`");
}

function parseAttestation(text: string): "min" | "max" | undefined {
  const [type, ...rest] = text.split(",");
  if (type === "type=sbom") throw new InvalidValue("Bunker lists no packages; give provenance alone");
  if (type !== "type=provenance") throw new InvalidValue("expected type=provenance[,mode=min|max]");
  const [mode = "mode=min"] = rest;
  if (mode === "disabled=true") return undefined;
  return parseProvenance(oneOf("mode=min", "mode=max")(mode));
}

function parseBuildArgument(text: string): readonly [string, string] | undefined {
  if (text === "" || text.startsWith("=")) throw new InvalidValue("the argument has no name");
  const entry = text.includes("=") ? text : importedVariable(text);
  if (entry === undefined) return undefined;
  const equals = entry.indexOf("=");
  return [entry.slice(0, equals), entry.slice(equals + 1)];
}

function parseNamedValue(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1 || equals === text.length - 1) throw new InvalidValue("expected NAME=SOURCE");
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function parseAnnotationOption(text: string) {
  const [, places, rest = text] =
    /^((?:manifest|index|manifest-descriptor|index-descriptor)(?:\[[^\]]*\])?(?:,[a-z,-]+)*):(.*)$/s.exec(text) ?? [];
  const [name, value] = parseAnnotation(rest);
  const on = places ?? "manifest";
  if (on === "manifest" || on === "index") return { on, name, value } as const;
  const nearest = nearestName(on, ["manifest", "index"]);
  throw new InvalidValue(
    `annotations can be put on manifest and index${nearest === undefined ? "" : `; did you mean ${nearest}?`}`,
  );
}

function parsePlatformsOption(text: string): readonly Platform[] {
  try {
    return text.split(",").map(parsePlatform);
  } catch (error) {
    throw error instanceof BunkerError ? new InvalidValue(error.message) : error;
  }
}

function parseTag(text: string): string {
  try {
    const reference = withDefaultTag(parseReference(text));
    if (reference.digest !== undefined) throw new InvalidValue("an image that is being built has no digest yet");
    return formatReference(reference);
  } catch (error) {
    throw error instanceof BunkerError ? new InvalidValue(error.message) : error;
  }
}
