import { redirection } from "./system-call.ts";

/** Makes a system call in its own way; number, arguments and result are those of `systemCall`. */
type SystemCaller = (number: number, words: readonly number[]) => number;

/**
 * Has all system calls of some work made in another way than by this thread.
 * @param caller may itself use `systemCall`, which is this thread's then
 * @param work what it does is over when it returns: it must not be asynchronous
 */
export function redirectingCalls<Result>(caller: SystemCaller, work: () => Result): Result {
  const before = redirection.caller;
  const redirected = (number: number, ...words: readonly number[]) => {
    redirection.caller = before;
    try {
      return caller(number, words);
    } finally {
      redirection.caller = redirected;
    }
  };
  redirection.caller = redirected;
  try {
    return work();
  } finally {
    redirection.caller = before;
  }
}
