/** Saying where in the Dockerfile something has failed. */
import { BunkerError } from "../../sys/error.ts";
import { quoteLines, type SourceLocation } from "../dockerfile/source-text.ts";
import type { StepInput } from "./step.ts";

/**
 * Does something for an instruction; what it fails with quotes its lines.
 * @throws BunkerError whatever `work` throws
 */
export async function atPlaceLater<Result>(location: SourceLocation, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw withExcerpt(location, cause);
  }
}

/** The same for what is done at once. */
export function atPlace<Result>(location: SourceLocation, work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    throw withExcerpt(location, cause);
  }
}

/** Inputs whose files, where they are missing, are shown with the instruction that wants them. */
export function placedInputs(location: SourceLocation, inputs: readonly StepInput[]): readonly StepInput[] {
  return inputs.map((input) =>
    input.kind === "root"
      ? {
          ...input,
          contentKey: (directories) => atPlaceLater(location, async () => input.contentKey(directories)),
        }
      : { ...input, contentKey: () => atPlaceLater(location, () => input.contentKey()) },
  );
}

function withExcerpt(location: SourceLocation, cause: unknown): unknown {
  if (!(cause instanceof BunkerError) || cause.excerpt !== undefined || cause.code === "interrupted") return cause;
  const { code, message, hint } = cause;
  return new BunkerError({ code, operation: message, hint, excerpt: quoteLines(location), exitStatus: 1 }, { cause });
}
