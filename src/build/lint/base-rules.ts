/*
 * Rules about FROM: the arguments in it, and what it is with none given.
 */
import { formatPlatform, type Platform, parsePlatform } from "../../image/platform.ts";
import { parseReference } from "../../image/reference.ts";
import { nearestName } from "../../nearest-name.ts";
import { BunkerError } from "../../sys/error.ts";
import { atLocation } from "../dockerfile/dockerfile-error.ts";
import { expand } from "../dockerfile/expand.ts";
import type { Dockerfile, InstructionNamed } from "../dockerfile/instruction.ts";
import { fromScope, type GlobalArguments, globalArguments } from "../graph/stage-variables.ts";
import type { Report } from "./file-rules.ts";
import { recording } from "./recording-scope.ts";

/** Looks at whether FROM is valid without `--build-arg`. */
export function checkDefaults(file: Dockerfile, { predefined }: GlobalArguments, report: Report): void {
  const scope = fromScope(globalArguments(file, new Map(), predefined));
  for (const { from } of file.stages) {
    const { base, location, comments } = from;
    if (isReference(atLocation(location, () => expand(base, scope)))) continue;
    const detail = `Default value for ARG ${base} results in empty or invalid base image name`;
    report({ rule: "InvalidDefaultArgInFrom", detail, location }, comments);
  }
}

function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch (cause) {
    if (cause instanceof BunkerError) return false;
    throw cause;
  }
}

/**
 * Looks at one FROM.
 * @param declared names of the arguments before the first stage
 * @throws DockerfileError
 */
export function checkBase(
  from: InstructionNamed<"FROM">,
  global: GlobalArguments,
  declared: readonly string[],
  report: Report,
): void {
  const { base, platform, stageName = "", location, comments } = from;
  const known = [...declared, ...global.predefined.keys()];
  const reportMissing = (names: Iterable<string>) => {
    for (const name of names) {
      if (known.includes(name)) continue;
      const nearest = nearestName(name, known);
      const guess = nearest === undefined ? "" : ` (did you mean ${nearest}?)`;
      const detail = `FROM argument '${name}' is not declared${guess}`;
      report({ rule: "UndefinedArgInFrom", detail, location }, comments);
    }
  };
  const ofBase = recording(fromScope(global));
  atLocation(location, () => expand(base, ofBase));
  reportMissing(ofBase.missing);
  if (platform === undefined) return;

  const ofPlatform = recording(fromScope(global));
  const value = atLocation(location, () => expand(platform, ofPlatform));
  reportMissing(ofPlatform.missing);
  const { found, missing } = ofPlatform;
  if (
    found.size === 1 &&
    missing.size === 0 &&
    found.has("TARGETPLATFORM") &&
    value === ofPlatform.lookUp("TARGETPLATFORM")
  ) {
    const detail = `Setting platform to predefined ${platform} in FROM is redundant as this is the default behavior`;
    report({ rule: "RedundantTargetPlatform", detail, location }, comments);
  }
  if (found.size > 0 || missing.size > 0) return;
  const constant = platformOf(value);
  // A stage that is named for its platform is meant to be for it alone.
  if (constant === undefined || stageName.includes(constant.os) || stageName.includes(constant.architecture)) return;
  const detail = `FROM --platform flag should not use constant value "${value}"`;
  report({ rule: "FromPlatformFlagConstDisallowed", detail, location }, comments);
}

function platformOf(text: string): Platform | undefined {
  try {
    return parsePlatform(text);
  } catch (cause) {
    if (cause instanceof BunkerError) return undefined;
    throw cause;
  }
}

/** Looks at whether an image is for the platform that it was wanted for. */
export function checkPlatform(
  { base, location, comments }: InstructionNamed<"FROM">,
  expected: Platform,
  actual: Platform,
  report: Report,
): void {
  if (expected.os === actual.os && expected.architecture === actual.architecture) return;
  const detail = `Base image ${base} was pulled with platform "${formatPlatform(actual)}", expected "${formatPlatform(expected)}" for current build`;
  report({ rule: "InvalidBaseImagePlatform", detail, location }, comments);
}
