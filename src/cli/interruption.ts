import { BunkerError } from "../sys/error.ts";

/** The exit statuses that shells give: 128 and the signal's number. */
const statuses = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/**
 * Lets Ctrl-C and the like end work that has to clear up behind itself. A second one ends the process at once.
 * @param work gets a signal that is aborted with the error to be thrown
 * @throws BunkerError `interrupted`, and what `work` throws
 */
export async function untilInterrupted<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const abort = new AbortController();
  const names = Object.keys(statuses) as (keyof typeof statuses)[];
  const interrupt = (name: keyof typeof statuses) => {
    forget();
    abort.abort(
      new BunkerError({ code: "interrupted", operation: `interrupted by ${name}`, exitStatus: statuses[name] }),
    );
  };
  const forget = () => {
    for (const name of names) process.removeListener(name, interrupt);
  };
  for (const name of names) process.on(name, interrupt);
  try {
    return await work(abort.signal);
  } finally {
    forget();
  }
}
