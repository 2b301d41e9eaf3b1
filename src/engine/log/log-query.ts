/** Which records of a log are wanted. */
export interface LogQuery {
  /** Times in nanoseconds since 1970: from this one on. */
  readonly since: bigint | undefined;
  /** Up to this one, and what was written just then. */
  readonly until: bigint | undefined;
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

/** What reads a container's log. */
export interface LogReader extends Disposable {
  /** In one of them something happens when there is more to read. */
  readonly directories: readonly string[];
  /** Whether a record later than wanted has been seen, so that no more will be wanted. */
  readonly isOver: boolean;
  /** Reads what there is, from the last `tail` records on; all for undefined. */
  readPresent(tail: number | undefined, onRecord: (record: LogRecord) => void): void | Promise<void>;
  /** Reads what has been added, also when files have other names by now. */
  readAdded(onRecord: (record: LogRecord) => void): void | Promise<void>;
}
