/*
 * The config.json of containers. A new one is not forced to the disk, which would take longer than much of what a start
 * does, and its row in the state database is not either. After a power failure a container's row may be there, and its
 * config.json empty: whoever needs it says so, and what does not (lists, logs, removing) goes on as ever.
 */
import { BunkerError } from "../../sys/error.ts";
import { readText } from "../../sys/named-file.ts";
import { containerDirectory } from "./container-lock.ts";

/**
 * What is made of the config.json of a container.
 * @throws BunkerError `container_damaged` for what `parse` throws
 */
export function readConfigurationBy<Result>(
  parse: (text: string, path: string) => Result,
  data: string,
  id: string,
): Result {
  const path = `${containerDirectory(data, id)}/config.json`;
  let text: string | undefined;
  try {
    text = readText(path);
    return parse(text, path);
  } catch (error) {
    if (!(error instanceof BunkerError)) throw error;
    // Blocks that were never written are zeros.
    const isEmpty = text !== undefined && /^\0*$/.test(text);
    throw new BunkerError(
      {
        code: "container_damaged",
        operation: "use container",
        object: id.slice(0, 12),
        reason: isEmpty ? `its ${path} is empty, as a power failure leaves it` : error.message,
        hint: "Remove the container and make it again: its volumes stay, and `bunker logs` still shows its log.",
        exitStatus: 1,
      },
      { cause: error },
    );
  }
}
