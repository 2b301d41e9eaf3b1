import { readdirSync } from "node:fs";

/** Enough for what one round leaves to stand out from what else a test process opens and closes meanwhile. */
const ROUNDS = 32;

/**
 * How many descriptors of this process an action leaves open. It is repeated, because Bun opens and closes descriptors
 * of its own at any time (the garbage collector closes those of earlier tests): one look before and one after a single
 * round would blame the action for them.
 */
export function descriptorsLeftBy(action: () => void): number {
  const before = openDescriptors();
  for (let round = 0; round < ROUNDS; round++) action();
  return Math.round((openDescriptors() - before) / ROUNDS);
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
