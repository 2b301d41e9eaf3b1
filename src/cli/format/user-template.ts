import { BunkerError } from "../../sys/error.ts";
import { dockerFunctions } from "./template/docker-functions.ts";
import { parseTemplate, type Template } from "./template/template.ts";
import { TemplateError } from "./template/template-error.ts";
import type { TemplateFunctions } from "./template/template-function.ts";
import { toJson } from "./template/to-json.ts";
import type { Structure, Value } from "./template/value.ts";

/** A command line whose template cannot be read; Docker's. */
const MALFORMED_TEMPLATE = 64;

/**
 * Reads a template of the user's, with Docker's functions.
 * @throws BunkerError `invalid_template`, exit status 64
 */
export function readTemplate(source: string): Template {
  try {
    return parseTemplate(source, dockerFunctions);
  } catch (error) {
    throw templateFailure(error, MALFORMED_TEMPLATE);
  }
}

/**
 * Carries a template of the user's out.
 * @throws BunkerError `invalid_template`, exit status 1
 */
export function executeTemplate(template: Template, data: Value, overriding?: TemplateFunctions): string {
  try {
    return template.execute(data, overriding);
  } catch (error) {
    throw templateFailure(error, 1);
  }
}

/**
 * The same of a single thing: what is a mistake for a struct (to ask for a field by `index`, to walk through the fields)
 * may be none for its JSON, which is tried then, as Docker does it.
 * @throws BunkerError `invalid_template`, exit status 1
 */
export function executeInspection(template: Template, thing: Structure): string {
  try {
    return template.execute(thing);
  } catch (error) {
    try {
      return template.execute(fromJson(JSON.parse(toJson(thing))), {}, "mistake");
    } catch {
      throw templateFailure(error, 1);
    }
  }
}

/** What JSON says, with maps for its objects. */
function fromJson(value: Json): Value {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value !== "object" || value === null) return value;
  return new Map(Object.entries(value).map(([name, member]) => [name, fromJson(member)]));
}

type Json = string | number | boolean | null | Json[] | { readonly [name: string]: Json };

function templateFailure(error: unknown, exitStatus: number): unknown {
  if (!(error instanceof TemplateError)) return error;
  const operation = `template parsing error: ${error.message}`;
  return new BunkerError({ code: "invalid_template", operation, hint: error.hint, exitStatus }, { cause: error });
}
