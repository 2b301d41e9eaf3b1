import type { ResourceLimit } from "../../engine/specification/run-options.ts";
import { ResourceLimitType, UNLIMITED } from "../../runtime/configuration/resource-limit-types.ts";
import { InvalidValue } from "../invalid-value.ts";
import { oneOf } from "./choice.ts";

/**
 * Reads the value of `--ulimit`: `NAME=SOFT[:HARD]`, where -1 is "unlimited" and HARD is SOFT unless given;
 * getrlimit(2).
 * @throws InvalidValue
 */
export function parseUlimitOption(text: string): ResourceLimit {
  const [, name, softText, hardText = softText] = /^([^=]+)=(-?\d+)(?::(-?\d+))?$/.exec(text) ?? [];
  if (name === undefined || softText === undefined || hardText === undefined) {
    throw new InvalidValue("expected NAME=SOFT[:HARD] with whole numbers, -1 for unlimited");
  }
  const names = Object.keys(ResourceLimitType).map((type) => type.slice("RLIMIT_".length).toLowerCase());
  const type = `RLIMIT_${oneOf(...names)(name).toUpperCase()}`;
  const [soft, hard] = [parseLimit(softText), parseLimit(hardText)];
  if (soft > hard) throw new InvalidValue("the soft limit is above the hard limit");
  return { type, soft, hard };
}

function parseLimit(text: string): number | bigint {
  const limit = Number(text);
  if (limit === -1) return UNLIMITED;
  if (limit < 0 || !Number.isSafeInteger(limit))
    throw new InvalidValue("a limit is from 0 to 2^53 - 1, or -1 for unlimited");
  return limit;
}
