import { BunkerError } from "../../sys/error.ts";
import type { UnpackedLayer, UnpackTarget } from "./layer-unpacker.ts";

/** What a thread that unpacks is told. Layers have numbers, each thread its own. */
export type UnpackOrder = { readonly layer: number } & (
  | { readonly kind: "unpack"; readonly target: UnpackTarget; readonly packed: SharedArrayBuffer }
  /** So many packed bytes lie at the beginning of the shared memory; after the last ones 0. */
  | { readonly kind: "filled"; readonly length: number }
  | { readonly kind: "stop" }
  | { readonly kind: "finish"; readonly lower: readonly number[] }
);

/** What it answers; `read` when it has taken what was in the shared memory, and wants more there. */
export type UnpackAnswer = { readonly layer: number } & (
  | { readonly kind: "read" }
  | { readonly kind: "unpacked" }
  | { readonly kind: "finished"; readonly result: UnpackedLayer }
  | { readonly kind: "failed"; readonly failure: UnpackFailure }
);

/** An error on its way to another thread, where the classes of errors are others. */
export interface UnpackFailure {
  /** Undefined for what is no BunkerError. */
  readonly code: string | undefined;
  readonly message: string;
  readonly hint: string | undefined;
}

/** Prepares an error for another thread. */
export function failureOf(cause: unknown): UnpackFailure {
  if (cause instanceof BunkerError) return { code: cause.code, message: cause.message, hint: cause.hint };
  return { code: undefined, message: cause instanceof Error ? String(cause.stack) : String(cause), hint: undefined };
}

/** The error that a failure stands for. */
export function errorOf({ code, message, hint }: UnpackFailure): Error {
  return code === undefined ? new Error(message) : new BunkerError({ code, operation: message, hint });
}
