/** What a container's output is logged by. */
export interface LogWriter {
  /** What could not be logged: bytes, and the errno of the last failure. */
  readonly lost: { readonly bytes: number; readonly errno: number | undefined };
  /** Logs a piece of a stream's output. */
  write(stream: LogStream, bytes: Buffer): void;
  /** Logs what has no line's end, because no more will come. */
  end(): void;
}

/** Which of a container's outputs; with a terminal everything is stdout. */
export type LogStream = "stdout" | "stderr";
