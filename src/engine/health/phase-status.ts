/**
 * How far the checks of a container's health have come, as the exit status of `bunker internal health`: the check at its
 * startup has still to succeed, nothing is known of its health, or that is known.
 */
export const PHASE_STATUS = { startup: 3, starting: 4, known: 0 } as const;

export type HealthPhase = keyof typeof PHASE_STATUS;
