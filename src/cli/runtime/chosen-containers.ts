import { ContainerDirectory } from "../../runtime/lifecycle/container-record.ts";
import { BunkerError } from "../../sys/error.ts";
import { flag } from "../option.ts";
import type { RuntimeGlobals } from "./globals.ts";
import { logError } from "./log.ts";

/** `--regex`, crun's: one word for many containers. */
export const regexOption = flag({
  name: "regex",
  short: "r",
  description: "ID is a regular expression, which chooses all containers with a match in their id",
});

/**
 * Does something to the container of an id, or to all that an expression chooses. One that fails is no reason to leave
 * out those behind it.
 * @param root where containers are recorded
 * @returns the exit status: 1 when one of several failed, which is logged
 * @throws BunkerError `invalid_value` for what is no regular expression; and what `act` throws for a single container
 */
export function actOnChosen(
  root: string,
  id: string,
  isExpression: boolean,
  globals: RuntimeGlobals,
  act: (id: string) => void,
): number {
  if (!isExpression) {
    act(id);
    return 0;
  }
  const expression = expressionOf(id);
  let status = 0;
  for (const chosen of ContainerDirectory.ids(root).filter((each) => expression.test(each))) {
    try {
      act(chosen);
    } catch (error) {
      logError(globals, error);
      status = 1;
    }
  }
  return status;
}

function expressionOf(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new BunkerError({
      code: "invalid_value",
      operation: "read the regular expression",
      object: text,
      reason: error instanceof Error ? error.message : String(error),
    });
  }
}
