import { setTimeout } from "node:timers/promises";

/** Milliseconds between two looks whether another process is done. */
const INTERVAL = 20;

/**
 * Waits a moment before one looks again.
 * @throws the reason of `signal`
 */
export async function waitAMoment(signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(INTERVAL, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
