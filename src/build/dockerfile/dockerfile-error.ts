import { BunkerError } from "../../sys/error.ts";
import { quoteLines, type SourceLocation } from "./source-text.ts";

/**
 * Something wrong with a Dockerfile. The message is one line, `read Dockerfile: line 2: unknown instruction RUNN (did you
 * mean RUN?)`; `excerpt` quotes the lines for a terminal.
 */
export class DockerfileError extends BunkerError {
  readonly location: SourceLocation;
  /** What is wrong, without where. */
  readonly mistake: string;

  constructor(location: SourceLocation, mistake: string, options?: ErrorOptions) {
    super(
      {
        code: "dockerfile_invalid",
        operation: "read",
        object: location.source.name,
        reason: `line ${location.firstLine}: ${mistake}`,
        excerpt: quoteLines(location),
      },
      options,
    );
    this.location = location;
    this.mistake = mistake;
  }
}

/**
 * What is wrong with a part of an instruction, said by whoever reads the part and does not know where it stands. It does
 * not leave this room: `atLocation` makes a `DockerfileError` of it.
 */
export class LanguageMistake extends Error {}

/**
 * Does something for an instruction.
 * @throws DockerfileError for a `LanguageMistake` in it
 */
export function atLocation<Result>(location: SourceLocation, work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof LanguageMistake) throw new DockerfileError(location, cause.message, { cause });
    throw cause;
  }
}
