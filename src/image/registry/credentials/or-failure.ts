import { BunkerError } from "../../../sys/error.ts";

/** Is told of a place for logins that could not be asked. */
export type OnFailure = (error: BunkerError) => void;

/**
 * What a place for logins answers.
 * @returns undefined when it fails, which is told
 */
export async function orFailure<Answer>(answer: Promise<Answer>, onFailure: OnFailure): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof BunkerError)) throw error;
    onFailure(error);
    return undefined;
  }
}
