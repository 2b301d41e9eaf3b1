/*
 * What a user has asked for when a container was made, kept beside its configuration: `<container>/request.json`. A clone is
 * made of it, by the same way as the first one, since the configuration no longer tells what was asked from what the image,
 * the host and the id have added. Names in it may be relative, so the directory that they were meant from is kept too.
 */

import * as v from "valibot";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { putText, readText } from "../../sys/named-file.ts";
import type { RunOptions } from "../specification/run-options.ts";
import { containerDirectory } from "../state/container-lock.ts";

/** To be counted up when RunOptions changes its meaning. */
const VERSION = 1;

const requestSchema = v.object({
  version: v.literal(VERSION),
  directory: v.string(),
  options: v.custom<RunOptions>((value) => typeof value === "object" && value !== null && "image" in value),
});

export interface CreationRequest {
  /** The working directory of the command. */
  readonly directory: string;
  readonly options: RunOptions;
}

/** JSON has no large integers: an unlimited resource is written as text in an object. */
const LARGE_INTEGER = "large integer";

/** Keeps what was asked for. */
export function writeRequest(data: string, id: string, options: RunOptions): void {
  const request = { version: VERSION, directory: process.cwd(), options };
  putText(requestFile(data, id), format(request), 0o600);
}

function format(request: CreationRequest): string {
  try {
    // As in configuration.ts: a large integer is rare, and to look for one in each member takes longer than all else.
    return JSON.stringify(request);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  return JSON.stringify(request, (_key, value: unknown) =>
    typeof value === "bigint" ? { [LARGE_INTEGER]: String(value) } : value,
  );
}

/**
 * Reads what was asked for.
 * @throws BunkerError `no_request` for a container of another version of Bunker
 */
export function readRequest(data: string, id: string): CreationRequest {
  const path = requestFile(data, id);
  let text: string;
  try {
    text = readText(path);
  } catch (error) {
    throw new BunkerError({ code: "no_request", operation: "read", object: path, errno: errnoOf(error) });
  }
  const result = v.safeParse(v.pipe(v.string(), v.transform(parse), requestSchema), text);
  if (result.success) return result.output;
  throw new BunkerError({
    code: "no_request",
    operation: "read",
    object: path,
    reason: "it was written by another version of Bunker",
  });
}

function requestFile(data: string, id: string): string {
  return `${containerDirectory(data, id)}/request.json`;
}

/** Undefined for what is no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text, (_key, value: unknown) =>
      typeof value === "object" && value !== null && LARGE_INTEGER in value
        ? BigInt(String(value[LARGE_INTEGER]))
        : value,
    );
  } catch {
    return undefined;
  }
}
