import { BunkerError } from "../sys/error.ts";
import { InvalidValue } from "./invalid-value.ts";

/**
 * Reads a name where it is an operand; options have their own way of saying what is wrong.
 * @param what the code and the operation of the error
 * @throws BunkerError of that code, with the reason of `parse`
 */
export function readNameOperand(
  name: string,
  parse: (text: string) => string,
  what: { readonly code: string; readonly operation: string },
): string {
  try {
    return parse(name);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw new BunkerError({ ...what, object: JSON.stringify(name), reason: error.message, exitStatus: 1 });
  }
}
