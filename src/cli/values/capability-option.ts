import { nearestName } from "../../nearest-name.ts";
import { CAPABILITY_NAMES } from "../../runtime/configuration/capabilities.ts";
import { InvalidValue } from "../invalid-value.ts";

/**
 * Reads the value of `--cap-add` or `--cap-drop`: a capability's name in either case, with or without `CAP_`, or `ALL`.
 * @returns `CAP_…`, or `ALL`
 * @throws InvalidValue
 */
export function parseCapabilityOption(text: string): string {
  const upper = text.toUpperCase();
  if (upper === "ALL" || upper === "CAP_ALL") return "ALL";
  const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  const known: readonly string[] = CAPABILITY_NAMES;
  if (known.includes(name)) return name;
  const nearest = nearestName(name, known);
  throw new InvalidValue(
    `no such capability${nearest === undefined ? "; capabilities(7) lists them" : `; did you mean ${nearest}?`}`,
  );
}
