import { BunkerError } from "../../sys/error.ts";
import type { PullPolicy } from "./pull-request.ts";

/** The image that a pull is about. */
export interface PolicySubject {
  /** For messages. */
  readonly name: string;
  /** Whether it is in the store. */
  readonly isHere: () => boolean;
  readonly pull: () => Promise<void>;
}

/**
 * Pulls an image, unless the policy says that it need not be. By the policy `newer`, what is here is good enough when the
 * registry cannot say otherwise; Podman has it so.
 * @returns whether it was pulled; otherwise what is here is used
 * @throws BunkerError `image_not_found` by the policy `never`, and what `pull` throws; by the policy `newer` nothing that
 *   the registry is to blame for, when the image is here
 */
export async function pullByPolicy(
  policy: PullPolicy,
  { name, isHere, pull }: PolicySubject,
  onWarning: (message: string) => void,
): Promise<boolean> {
  const hasFallback = policy !== "always" && isHere();
  if (hasFallback && policy !== "newer") return false;
  if (policy === "never") throw neverPulled(name);
  try {
    await pull();
    return true;
  } catch (error) {
    const isOfRegistry = error instanceof BunkerError && /^registry_|^image_not_found$/.test(error.code);
    if (!hasFallback || !isOfRegistry) throw error;
    onWarning(`${error.message}; the image that is here is used`);
    return false;
  }
}

/** That an image is not here, and must not be pulled. */
function neverPulled(name: string): BunkerError {
  return new BunkerError({
    code: "image_not_found",
    operation: "find the image",
    object: name,
    reason: "it is not in the store, and pulling it was ruled out",
    hint: `Pull it: bunker pull ${name}.`,
  });
}
