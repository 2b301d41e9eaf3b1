import { BunkerError } from "../../sys/error.ts";
import { DigestHasher, splitDigest } from "../digest.ts";
import type { Descriptor } from "../documents.ts";

/**
 * Passes the bytes of a blob on, and fails at their end unless size and digest are as described; a blob that is too
 * long fails as soon as it is.
 * @param onProgress is told how many bytes each piece has
 * @throws BunkerError `digest_mismatch`
 */
export async function* verifyBlob(
  { digest, size }: Pick<Descriptor, "digest" | "size">,
  pieces: AsyncIterable<Buffer>,
  onProgress: (bytes: number) => void,
): AsyncGenerator<Buffer, void, undefined> {
  const hasher = new DigestHasher(splitDigest(digest).algorithm);
  let length = 0;
  for await (const piece of pieces) {
    length += piece.length;
    if (length > size) throw mismatch(digest, `it has more than ${size} bytes`);
    hasher.update(piece);
    onProgress(piece.length);
    yield piece;
  }
  if (length < size) throw mismatch(digest, `it has ${length} bytes instead of ${size}`);
  const actual = hasher.finish();
  if (actual !== digest) throw mismatch(digest, `its digest is ${actual}`);
}

function mismatch(digest: string, reason: string): BunkerError {
  return new BunkerError({ code: "digest_mismatch", operation: "verify", object: `blob ${digest}`, reason });
}
