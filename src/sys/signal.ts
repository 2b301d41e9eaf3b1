import { nearestName } from "../nearest-name.ts";
import { BunkerError } from "./error.ts";
import { isDecimal } from "./is-decimal.ts";

/** Signal numbers, the same on x86-64 and arm64; signal(7). */
export const Signal = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPWR: 30,
  SIGSYS: 31,
} as const;

/** The first real-time signal that programs may use; the C libraries keep 32 and 33 for themselves. */
const SIGRTMIN = 34;
/** The last signal number of the kernel. */
const SIGRTMAX = 64;

const aliases = { SIGIOT: Signal.SIGABRT, SIGCLD: Signal.SIGCHLD, SIGPOLL: Signal.SIGIO } as const;

/**
 * Reads a signal as people write it: a name with or without `SIG` in any case (`TERM`, `sigterm`), a real-time signal
 * (`RTMIN`, `RTMIN+3`, `RTMAX-1`) or a number from 1 to 64.
 * @returns the signal's number
 * @throws BunkerError `invalid_signal`, which names the nearest known signal
 */
export function parseSignal(text: string): number {
  if (isDecimal(text)) {
    const number = Number(text);
    if (number >= 1 && number <= SIGRTMAX) return number;
    throw invalidSignal(text, `a signal's number is from 1 to ${SIGRTMAX}`);
  }
  const upper = text.toUpperCase();
  const name = upper.startsWith("SIG") ? upper : `SIG${upper}`;
  const known: Readonly<Record<string, number>> = { ...Signal, ...aliases };
  const number = Object.hasOwn(known, name) ? known[name] : realTimeSignal(name);
  if (number !== undefined) return number;
  const nearest = nearestName(name, Object.keys(known));
  throw invalidSignal(text, "no such signal", nearest === undefined ? undefined : `Did you mean ${nearest}?`);
}

function realTimeSignal(name: string): number | undefined {
  const match = /^SIGRT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (match === null) return undefined;
  const [, base, sign, distance = "0"] = match;
  const number = (base === "MIN" ? SIGRTMIN : SIGRTMAX) + (sign === "-" ? -1 : 1) * Number(distance);
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
}

function invalidSignal(text: string, reason: string, hint?: string): BunkerError {
  return new BunkerError({ code: "invalid_signal", operation: "read signal", object: `"${text}"`, reason, hint });
}

/**
 * The name of a signal: `SIGTERM`, `SIGRTMIN+3`.
 * @param number of the signal
 * @returns `signal 32` for a number without a name
 */
export function signalName(number: number): string {
  const name = Object.entries(Signal).find(([, value]) => value === number)?.[0];
  if (name !== undefined) return name;
  if (number === SIGRTMIN) return "SIGRTMIN";
  return number > SIGRTMIN && number <= SIGRTMAX ? `SIGRTMIN+${number - SIGRTMIN}` : `signal ${number}`;
}
