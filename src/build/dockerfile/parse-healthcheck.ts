import { parseGoDuration } from "../../notation/go-duration.ts";
import { LanguageMistake } from "./dockerfile-error.ts";
import { readFlags } from "./flags.ts";
import type { Healthcheck } from "./instruction.ts";
import { jsonWords } from "./instruction-words.ts";

/** A check may not come more often; nanoseconds. */
const SHORTEST = 1e6;
const MOST_RETRIES = 2 ** 31 - 1;

/**
 * Reads what follows HEALTHCHECK.
 * @throws LanguageMistake
 */
export function parseHealthcheck(flags: readonly string[], rest: string): Healthcheck {
  const [, type = "", text = ""] = /^(\S+)\s*(.*)$/s.exec(rest) ?? [];
  switch (type.toUpperCase()) {
    case "":
      throw new LanguageMistake("HEALTHCHECK requires at least one argument");
    case "NONE":
      if (text !== "" || flags.length > 0) throw new LanguageMistake("HEALTHCHECK NONE takes no arguments");
      return { Test: ["NONE"] };
    case "CMD":
      return { Test: testOf(text), ...timing(flags) };
    default:
      throw new LanguageMistake(`Unknown type ${JSON.stringify(type)} in HEALTHCHECK (try CMD)`);
  }
}

function testOf(text: string): string[] {
  const words = jsonWords(text);
  const test = words === undefined ? ["CMD-SHELL", text] : ["CMD", ...words];
  if (test.length === 1 || text === "") throw new LanguageMistake("Missing command after HEALTHCHECK CMD");
  return test;
}

function timing(written: readonly string[]): Omit<Healthcheck, "Test"> {
  const flags = readFlags(written, {
    interval: "text",
    timeout: "text",
    "start-period": "text",
    "start-interval": "text",
    retries: "text",
  });
  const values = {
    Interval: duration("interval", flags.interval),
    Timeout: duration("timeout", flags.timeout),
    StartPeriod: duration("start-period", flags["start-period"]),
    StartInterval: duration("start-interval", flags["start-interval"]),
    Retries: retries(flags.retries),
  };
  // Nothing and 0 both stand for the default.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== 0));
}

function duration(flag: string, text: string | undefined): number {
  if (text === undefined || text === "") return 0;
  const nanoseconds = parseGoDuration(text);
  if (nanoseconds === undefined || !Number.isSafeInteger(nanoseconds)) {
    throw new LanguageMistake(`invalid duration ${JSON.stringify(text)} for --${flag}`);
  }
  if (nanoseconds !== 0 && nanoseconds < SHORTEST) throw new LanguageMistake(`--${flag} cannot be less than 1ms`);
  return nanoseconds;
}

function retries(text: string | undefined): number {
  if (text === undefined || text === "") return 0;
  if (!/^[+-]?\d+$/.test(text) || Number(text) > MOST_RETRIES) {
    throw new LanguageMistake(`invalid number ${JSON.stringify(text)} for --retries`);
  }
  if (Number(text) < 0) throw new LanguageMistake(`--retries cannot be negative (${text})`);
  return Number(text);
}
