import { expect } from "bun:test";
import type { UnprivilegedUser } from "../../unprivileged-user.ts";

/** Runs `bunker`, which has to end well and say nothing on standard error, and returns what it prints. */
export async function succeed(user: UnprivilegedUser, ...words: readonly string[]): Promise<string> {
  const { status, output, errors } = await user.bunker(words);
  expect({ words, status, errors }).toEqual({ words, status: 0, errors: "" });
  return output;
}
