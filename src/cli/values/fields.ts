import { MalformedFields, parseFields } from "../../notation/comma-separated-fields.ts";
import { InvalidValue } from "../invalid-value.ts";

/**
 * Splits a value into its fields, which may be in quotation marks; see `parseFields`.
 * @throws InvalidValue
 */
export function fieldsOf(text: string): readonly string[] {
  try {
    return parseFields(text);
  } catch (cause) {
    throw cause instanceof MalformedFields ? new InvalidValue(cause.message) : cause;
  }
}
