import { readNameOperand } from "../name-operand.ts";
import { parseContainerName } from "../values/words.ts";

/**
 * Reads a new container's name where it is an operand.
 * @throws BunkerError `invalid_name`
 */
export function readContainerNameOperand(name: string): string {
  return readNameOperand(name, parseContainerName, { code: "invalid_name", operation: "use the container name" });
}
