import { BunkerError } from "../../sys/error.ts";
import { dockerFunctions } from "./template/docker-functions.ts";
import { parseTemplate, type Template } from "./template/template.ts";
import { TemplateError } from "./template/template-error.ts";
import type { TemplateFunctions } from "./template/template-function.ts";
import type { Value } from "./template/value.ts";

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

function templateFailure(error: unknown, exitStatus: number): unknown {
  if (!(error instanceof TemplateError)) return error;
  const operation = `template parsing error: ${error.message}`;
  return new BunkerError({ code: "invalid_template", operation, hint: error.hint, exitStatus }, { cause: error });
}
