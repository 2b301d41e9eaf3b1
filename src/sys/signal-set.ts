/** Bytes of a signal set (one bit a signal) as the kernel's own interface has it. */
export const SIGNAL_SET_SIZE = 8;
/** Bytes of the kernel's `struct sigaction` on x86-64 and arm64; all zero it means SIG_DFL. */
export const SIGNAL_ACTION_SIZE = 32;
/** The number of signals: they are 1 to 64. */
export const SIGNAL_COUNT = 64;
/** sigprocmask(2): the set replaces the mask. */
export const SIG_SETMASK = 2;
/** The set is taken out of the mask. */
export const SIG_UNBLOCK = 1;
