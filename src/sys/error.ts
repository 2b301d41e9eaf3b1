import { errnoName } from "./errno.ts";

/** What a `BunkerError` is made of; all but the code and the operation are optional. */
export interface ErrorDetails {
  /** Stable, for programs: lower case words joined by `_`, such as `image_not_found`. */
  readonly code: string;
  /** What was being done, in the infinitive without "to": `mount proc`, `read the bundle's config.json`. */
  readonly operation: string;
  /** What it was done to: a path, an image name, an option. */
  readonly object?: string | undefined;
  /** A positive error number of the kernel. */
  readonly errno?: number | undefined;
  /** Why, where errno alone does not say it. */
  readonly reason?: string | undefined;
  /** What the user can do about it, one sentence. */
  readonly hint?: string | undefined;
  /** Lines of a text that show where the mistake is, for a terminal. */
  readonly excerpt?: string | undefined;
  /** The exit status for the terminal; 125 ("Bunker itself failed") unless given. */
  readonly exitStatus?: number | undefined;
}

/**
 * The one error type that reaches users: operation, object, reason, errno by name, hint. Its message is one line
 * without hint and excerpt: `mount proc on /proc: EPERM`.
 */
export class BunkerError extends Error {
  override readonly name = "BunkerError";
  readonly code: string;
  readonly operation: string;
  readonly object: string | undefined;
  readonly reason: string | undefined;
  readonly errno: number | undefined;
  readonly hint: string | undefined;
  readonly excerpt: string | undefined;
  readonly exitStatus: number;

  constructor(details: ErrorDetails, options?: ErrorOptions) {
    const subject = details.object === undefined ? details.operation : `${details.operation} ${details.object}`;
    const causes = [details.reason, details.errno === undefined ? undefined : errnoName(details.errno)];
    super([subject, ...causes.filter((cause) => cause !== undefined)].join(": "), options);
    this.code = details.code;
    this.operation = details.operation;
    this.object = details.object;
    this.reason = details.reason;
    this.errno = details.errno;
    this.hint = details.hint;
    this.excerpt = details.excerpt;
    this.exitStatus = details.exitStatus ?? 125;
  }
}

/** The positive error number of an error thrown by `node:fs` and its like; undefined for any other error. */
export function errnoOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errno" in error) || typeof error.errno !== "number") return undefined;
  return error.errno < 0 ? -error.errno : error.errno;
}
