import * as v from "valibot";

declare const brand: unique symbol;

/** `sha256:` or `sha512:` and the hexadecimal digits: safe as part of a path. */
export type Digest = string & { readonly [brand]: true };

/** The form of a digest; OCI image specification, descriptor.md. */
export const digestSchema = v.pipe(
  v.string(),
  v.regex(/^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/, "expected sha256:HEX or sha512:HEX"),
  v.transform((text) => text as Digest),
);

/** The algorithms of digests. */
export type DigestAlgorithm = "sha256" | "sha512";

/** Takes a digest apart. */
export function splitDigest(digest: Digest): { readonly algorithm: DigestAlgorithm; readonly hex: string } {
  return { algorithm: digest.startsWith("sha512:") ? "sha512" : "sha256", hex: digest.slice(digest.indexOf(":") + 1) };
}

/** The digest of bytes at hand. */
export function digestOf(bytes: string | Buffer, algorithm: DigestAlgorithm = "sha256"): Digest {
  return `${algorithm}:${Bun.CryptoHasher.hash(algorithm, bytes, "hex")}` as Digest;
}

/** Computes a digest of bytes as they pass. */
export class DigestHasher {
  readonly #algorithm: DigestAlgorithm;
  readonly #hasher: Bun.CryptoHasher;

  constructor(algorithm: DigestAlgorithm) {
    this.#algorithm = algorithm;
    this.#hasher = new Bun.CryptoHasher(algorithm);
  }

  update(bytes: Buffer): void {
    this.#hasher.update(bytes);
  }

  /** The digest; nothing may be added afterwards. */
  finish(): Digest {
    return `${this.#algorithm}:${this.#hasher.digest("hex")}` as Digest;
  }
}
