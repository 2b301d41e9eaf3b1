import { InvalidValue } from "../invalid-value.ts";
import { quote } from "../option-table.ts";

/**
 * Reads the name of a volume.
 * @throws InvalidValue
 */
export function parseVolumeName(text: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(text)) return text;
  throw new InvalidValue(
    `${quote(text)} is no name for a volume, of [a-zA-Z0-9_.-] beginning with a letter or digit; a path of the host ` +
      "begins with / or ./",
  );
}
