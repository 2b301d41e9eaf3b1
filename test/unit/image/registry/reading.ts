/** What tests of readers share. */
import { type Descriptor, parseDocument } from "../../../../src/image/documents.ts";
import { parseReference } from "../../../../src/image/reference.ts";
import { type Patience, USUAL_PATIENCE } from "../../../../src/image/registry/patience.ts";
import { Registries } from "../../../../src/image/registry/registries.ts";
import { RegistryReader } from "../../../../src/image/registry/registry-reader.ts";
import type { RegistrySettings } from "../../../../src/image/registry/registry-settings.ts";
import type { ImageReader } from "../../../../src/image/transport/transport.ts";
import { BunkerError } from "../../../../src/sys/error.ts";

/** For servers that fail at once or never: waits are short, attempts as many as usual. */
export const SHORT_PATIENCE: Patience = { ...USUAL_PATIENCE, firstDelay: 1, longestDelay: 5_000 };

/** A signal that nobody uses. */
export const NEVER = new AbortController().signal;

/** Opens an image in a registry with short waits. */
export function openReader(name: string, settings: RegistrySettings = {}): RegistryReader {
  const registries = new Registries({ patience: SHORT_PATIENCE, ...settings }, () => undefined);
  return new RegistryReader(registries, parseReference(name), NEVER);
}

/** Reads a blob whole. */
export async function readWhole(reader: ImageReader, descriptor: Descriptor, offset = 0): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of reader.readBlob(descriptor, { signal: NEVER, offset })) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** The configuration and layers of a manifest. */
export function contentsOf(bytes: Buffer): readonly Descriptor[] {
  const { config, layers } = parseDocument("manifest", bytes, "a manifest");
  return [config, ...layers];
}

/** The code and message of the error that something ends in. */
export async function failureOf(attempt: Promise<unknown>): Promise<{ code: string; message: string; hint?: string }> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof BunkerError) {
      const { code, message, hint } = error;
      return hint === undefined ? { code, message } : { code, message, hint };
    }
    throw error;
  }
  throw new Error("it succeeded");
}
