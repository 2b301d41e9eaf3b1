/** Bytes of the first version of `struct clone_args` (linux/sched.h), which all kernels know that have clone3. */
export const CLONE_ARGUMENTS_SIZE = 64;
