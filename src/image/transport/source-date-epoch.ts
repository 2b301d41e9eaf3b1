import { BunkerError } from "../../sys/error.ts";

/**
 * The time that a reproducible build is to state: `$SOURCE_DATE_EPOCH`, whole seconds since 1970
 * (reproducible-builds.org).
 * @returns undefined when it is not set
 * @throws BunkerError `invalid_environment`
 */
export function sourceDateEpoch(): number | undefined {
  const { SOURCE_DATE_EPOCH: text } = process.env;
  if (text === undefined || text === "") return undefined;
  if (/^[0-9]{1,11}$/.test(text)) return Number(text);
  throw new BunkerError({
    code: "invalid_environment",
    operation: "read SOURCE_DATE_EPOCH",
    object: JSON.stringify(text),
    reason: "it is not a number of seconds",
  });
}
