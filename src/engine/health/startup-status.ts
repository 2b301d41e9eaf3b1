/** The exit status of `bunker internal health` as long as a container's check at its startup has not succeeded. */
export const STARTUP_GOES_ON = 3;
