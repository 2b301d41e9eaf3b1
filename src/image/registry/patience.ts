/** How long a registry is waited for, and how often it is asked again. Times are milliseconds. */
export interface Patience {
  /** Without a byte in either direction. */
  readonly silence: number;
  /** For the answer to a request whose body has been sent whole: the registry may have to move a large blob. */
  readonly completion: number;
  /** The time in which at least `leastBytes` of a body have to come. */
  readonly slowness: number;
  readonly leastBytes: number;
  /** Of one request, the first included. */
  readonly attempts: number;
  /** Before the second attempt; a random part of up to a half is taken off. */
  readonly firstDelay: number;
  /** By how much the delay is multiplied with each further failure. */
  readonly delayGrowth: number;
  readonly longestDelay: number;
}

/** What commands use. A registry that is down is given up after about six seconds. */
export const USUAL_PATIENCE: Patience = {
  silence: 60_000,
  completion: 300_000,
  slowness: 60_000,
  leastBytes: 6_000,
  attempts: 5,
  firstDelay: 500,
  delayGrowth: 2,
  longestDelay: 60_000,
};

/**
 * A patience with what the user wants otherwise.
 * @param retries how often to ask again
 * @param delay milliseconds before each further attempt, instead of ever longer ones
 */
export function adjustedPatience(
  patience: Patience,
  { retries, delay }: { readonly retries: number | undefined; readonly delay: number | undefined },
): Patience {
  return {
    ...patience,
    ...(retries === undefined ? {} : { attempts: retries + 1 }),
    ...(delay === undefined
      ? {}
      : { firstDelay: delay, delayGrowth: 1, longestDelay: Math.max(delay, patience.longestDelay) }),
  };
}
