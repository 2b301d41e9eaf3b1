import { BunkerError } from "../../sys/error.ts";
import { InvalidValue } from "../invalid-value.ts";
import { parseContainerName } from "../values/words.ts";

/**
 * Reads a new container's name where it is an operand.
 * @throws BunkerError `invalid_name`
 */
export function readNameOperand(name: string): string {
  try {
    return parseContainerName(name);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw new BunkerError({
      code: "invalid_name",
      operation: "use the container name",
      object: JSON.stringify(name),
      reason: error.message,
      exitStatus: 1,
    });
  }
}
