/** Which records of a log are wanted. */
export interface LogQuery {
  /** Times in milliseconds since 1970: from this one on. */
  readonly since: number | undefined;
  /** Up to this one. */
  readonly until: number | undefined;
  /** So many of the last records; undefined for all. */
  readonly tail: number | undefined;
}

/** One record: what the container wrote, and when. */
export interface LogRecord {
  readonly stream: "stdout" | "stderr";
  /** RFC 3339 with nanoseconds, in UTC. */
  readonly time: string;
  /** Valid until the next record is read. */
  readonly bytes: Buffer;
}
