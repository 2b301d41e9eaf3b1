/** Execution domains; personality(2), linux/personality.h. `LINUX32` makes uname(2) report the 32-bit machine. */
export const PersonalityDomain = { LINUX: 0x0000, LINUX32: 0x0008 } as const;
