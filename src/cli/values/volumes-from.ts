import type { VolumesFrom } from "../../engine/specification/run-options.ts";
import { InvalidValue } from "../invalid-value.ts";

/**
 * Reads the value of `--volumes-from`: `CONTAINER[:ro|rw]`.
 * @throws InvalidValue
 */
export function parseVolumesFrom(text: string): VolumesFrom {
  const [container = "", ...modes] = text.split(":");
  const [mode, ...more] = modes;
  if (container === "" || more.length > 0) throw new InvalidValue("expected CONTAINER[:ro|rw]");
  if (mode !== undefined && mode !== "ro" && mode !== "rw")
    throw new InvalidValue("expected ro or rw behind the colon");
  return { container, readOnly: mode === undefined ? undefined : mode === "ro" };
}
