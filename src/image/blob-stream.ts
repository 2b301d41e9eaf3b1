import { open } from "node:fs/promises";
import { BunkerError } from "../sys/error.ts";
import { type BlobLocation, bytesAt, unreadable } from "./blob.ts";

const PIECE_SIZE = 512 << 10;

/**
 * Streams the bytes of a blob in a file. Each piece is the receiver's.
 * @param start bytes at the beginning that are left out
 * @param signal ends it between two pieces
 * @param name of the file, for messages
 * @throws BunkerError `image_not_found`, `image_unreadable`; `image_invalid` when the file is shorter than it was
 */
export async function* streamBlob(
  location: BlobLocation,
  signal: AbortSignal,
  start = 0,
  name = location.path,
): AsyncGenerator<Buffer, void, undefined> {
  const { path, size } = location;
  const fail = (cause: unknown): never => {
    throw unreadable(name, cause);
  };
  await using file = await open(path).catch(fail);
  for (let position = start; position < size; ) {
    signal.throwIfAborted();
    const { length, offset } = bytesAt(location, position);
    const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE_SIZE, length));
    const { bytesRead } =
      offset === undefined ? zeros(buffer) : await file.read(buffer, 0, buffer.length, offset).catch(fail);
    if (bytesRead === 0) {
      throw new BunkerError({ code: "image_invalid", operation: "read", object: name, reason: "it is truncated" });
    }
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function zeros(buffer: Buffer): { readonly bytesRead: number } {
  buffer.fill(0);
  return { bytesRead: buffer.length };
}
