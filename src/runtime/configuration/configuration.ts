/*
 * The border at which an OCI bundle's config.json becomes trusted data. Parsing is strict about what the specification
 * defines and leaves out what it does not ("unknown properties MUST be ignored"). Two habits of the programs that write
 * these files need care: Go writes an absent list as `null`, and 64-bit patterns (RLIM_INFINITY, seccomp masks) do not
 * fit a double, so integers beyond 2^53 are read from their digits and stay bigints where every bit counts.
 */
import * as v from "valibot";
import { BunkerError } from "../../sys/error.ts";
import { parseExactJson } from "../seccomp/exact-json.ts";
import { checkConfiguration, checkProcess } from "./check.ts";
import { configurationSchema, enteredConfigurationSchema } from "./schema/configuration.ts";
import { processSchema } from "./schema/process.ts";
import { resourcesSchema } from "./schema/resources.ts";
import type { Immutable } from "./schema/values.ts";

/** A container as config.json of the OCI runtime specification describes it, Linux part. */
export type Configuration = Immutable<v.InferOutput<ReturnType<typeof configurationSchema>>>;
/** What of it matters to a further process of a container that runs. */
export type EnteredConfiguration = Immutable<v.InferOutput<ReturnType<typeof enteredConfigurationSchema>>>;
export type Process = NonNullable<Configuration["process"]>;
export type User = Process["user"];
export type Capabilities = NonNullable<Process["capabilities"]>;
/** `soft` and `hard` are numbers up to 2^53, beyond that bigints. */
export type ResourceLimit = NonNullable<Process["rlimits"]>[number];
export type Scheduler = NonNullable<Process["scheduler"]>;
export type IoPriority = NonNullable<Process["ioPriority"]>;
export type Mount = NonNullable<Configuration["mounts"]>[number];
type Hooks = NonNullable<Configuration["hooks"]>;
export type Hook = NonNullable<Hooks["createRuntime"]>[number];
export type Linux = NonNullable<Configuration["linux"]>;
export type Namespace = NonNullable<Linux["namespaces"]>[number];
export type IdMapping = NonNullable<Linux["uidMappings"]>[number];
export type TimeOffsets = NonNullable<Linux["timeOffsets"]>;
export type Device = NonNullable<Linux["devices"]>[number];
export type SeccompConfiguration = NonNullable<Linux["seccomp"]>;
export type MemoryPolicy = NonNullable<Linux["memoryPolicy"]>;
export type Personality = NonNullable<Linux["personality"]>;

/**
 * Reads and checks a config.json, the rules of `checkConfiguration` included.
 * @param text the file's content
 * @param path the file's path, for messages
 * @throws BunkerError `invalid_configuration`: the first fault with its dotted path, what was expected and what was
 * found, such as `process.rlimits.0.soft: expected a number, got "many"`
 */
export function parseConfiguration(text: string, path: string): Configuration {
  const configuration = parseBy(configurationSchema(), text, path);
  checkConfiguration(configuration, path);
  return configuration;
}

/**
 * Reads and checks what of a config.json matters to a further process of its container, which was started by it: a third
 * of the whole, and of the time that it takes.
 * @throws BunkerError as `parseConfiguration`
 */
export function parseEnteredConfiguration(text: string, path: string): EnteredConfiguration {
  const configuration = parseBy(enteredConfigurationSchema(), text, path);
  if (configuration.process !== undefined) checkProcess(configuration.process, path);
  return configuration;
}

/**
 * Reads and checks a process by itself, as `exec --process` takes it.
 * @throws BunkerError as `parseConfiguration`
 */
export function parseProcess(text: string, path: string): Process {
  const process = parseBy(processSchema(), text, path);
  checkProcess(process, path);
  return process;
}

/**
 * Reads and checks limits by themselves, as `update --resources` takes them.
 * @throws BunkerError as `parseConfiguration`
 */
export function parseResources(text: string, path: string): NonNullable<Linux["resources"]> {
  return parseBy(resourcesSchema(), text, path);
}

function parseBy<Schema extends v.GenericSchema>(schema: Schema, text: string, path: string): v.InferOutput<Schema> {
  const json = parseJson(text, path);
  // Bunker's own files have none, and need not be copied.
  const result = v.safeParse(schema, text.includes("null") ? withoutNulls(json) : json, { abortEarly: true });
  if (!result.success) throw invalidConfiguration(path, describe(result.issues[0]));
  return result.output;
}

/** A part of JSON that TypeScript's library does not know yet: a number of any length in `JSON.stringify`. */
interface RawJson {
  rawJSON(text: string): unknown;
}

/** A configuration as the text of a config.json, exact for bigints too. */
export function formatConfiguration(configuration: Configuration): string {
  return formatExactJson(configuration, 2);
}

/**
 * JSON in which bigints are numbers with all their digits.
 * @param indent how many spaces; everything on one line without it
 */
export function formatExactJson(value: unknown, indent?: number): string {
  try {
    // To be asked for each member takes longer than all else, and hardly any text has a bigint.
    return JSON.stringify(value, undefined, indent);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  const { rawJSON } = JSON as typeof JSON & RawJson;
  return JSON.stringify(value, (_, member) => (typeof member === "bigint" ? rawJSON(`${member}`) : member), indent);
}

function parseJson(text: string, path: string): unknown {
  try {
    return parseExactJson(text);
  } catch (error) {
    throw invalidConfiguration(path, error instanceof Error ? error.message : String(error));
  }
}

function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutNulls);
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (member === null ? [] : [[key, withoutNulls(member)]])),
  );
}

function invalidConfiguration(path: string, reason: string): BunkerError {
  return new BunkerError({ code: "invalid_configuration", operation: "read configuration", object: path, reason });
}

function describe(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue);
  const missing = issue.path?.at(-1)?.origin === "key" && issue.input === undefined;
  const fault = missing ? "missing" : `expected ${issue.message}, got ${show(issue.input)}`;
  return path === null ? fault : `${path}: ${fault}`;
}

/** A found value on one line of bounded length. */
function show(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value === "bigint") return `${value}`;
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
