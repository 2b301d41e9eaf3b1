/*
 * Private keys of ssh in files: what OpenSSH writes ("openssh-key-v1", PROTOCOL.key of its sources), and PEM of PKCS #1,
 * PKCS #8 and SEC 1. Those of OpenSSH are brought into the form of JSON Web Keys, which node:crypto reads; for all of them
 * the public half is written as ssh names it (RFC 4253, 5656 and 8709).
 */
import { createPrivateKey, type KeyObject, sign, type webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { SshFields, sshNumber, sshString } from "./ssh-fields.ts";

/** A key that an agent signs with. */
export interface PrivateKey {
  /** The public half, by which it is asked for. */
  readonly publicKey: Buffer;
  readonly comment: string;
  /**
   * Signs.
   * @param flags of the request: which hash of RSA's is wanted
   * @returns the signature with the name of its kind
   */
  readonly sign: (data: Buffer, flags: number) => Buffer;
}

const OPENSSH = "-----BEGIN OPENSSH PRIVATE KEY-----";
const MAGIC = Buffer.from("openssh-key-v1\0");
/** Flags of a request to sign: draft-miller-ssh-agent, "Signature flags". */
const RSA_SHA2_256 = 2;
const RSA_SHA2_512 = 4;
const LARGEST_FILE = 100 << 10;

interface Curve {
  /** As ssh calls it. */
  readonly name: string;
  readonly jwk: string;
  readonly hash: string;
  /** Bytes of a coordinate. */
  readonly size: number;
}

const curves: readonly Curve[] = [
  { name: "nistp256", jwk: "P-256", hash: "sha256", size: 32 },
  { name: "nistp384", jwk: "P-384", hash: "sha384", size: 48 },
  { name: "nistp521", jwk: "P-521", hash: "sha512", size: 66 },
];

/**
 * Reads a private key.
 * @throws BunkerError `key_unreadable`, also for keys that are encrypted and of kinds that are not known
 */
export function readPrivateKey(path: string): PrivateKey {
  let text: string;
  try {
    text = readFileSync(path, "latin1");
  } catch (cause) {
    throw new BunkerError(
      { code: "key_unreadable", operation: "read the ssh key", object: path, errno: errnoOf(cause), exitStatus: 1 },
      { cause },
    );
  }
  try {
    if (text.length > LARGEST_FILE) throw new UnusableKey("it is too large for a key");
    return text.trimStart().startsWith(OPENSSH) ? readOpenSsh(text.trim()) : readPem(text, path);
  } catch (cause) {
    const isEncrypted = cause instanceof EncryptedKey;
    const reason =
      cause instanceof UnusableKey || cause instanceof RangeError ? cause.message : "it is no private key of ssh";
    throw new BunkerError(
      {
        code: "key_unreadable",
        operation: "read the ssh key",
        object: path,
        reason,
        hint: isEncrypted
          ? "Add it to an agent, which asks for the passphrase: ssh-add KEY; then --ssh default."
          : undefined,
        exitStatus: 1,
      },
      { cause },
    );
  }
}

/** With what people are told. */
class UnusableKey extends Error {}

class EncryptedKey extends UnusableKey {
  constructor() {
    super("it is encrypted with a passphrase");
  }
}

function readOpenSsh(text: string): PrivateKey {
  const body = Buffer.from(text.slice(OPENSSH.length).replace(/-----END.*$/s, ""), "base64");
  const fields = new SshFields(body);
  if (!fields.take(MAGIC.length).equals(MAGIC)) throw new UnusableKey("it is of another version than openssh-key-v1");
  const cipher = fields.string().toString();
  fields.string();
  fields.string();
  if (cipher !== "none") throw new EncryptedKey();
  if (fields.uint32() !== 1) throw new UnusableKey("it has several keys in it");
  fields.string();
  const secret = new SshFields(fields.string());
  const [number, again] = [secret.uint32(), secret.uint32()];
  if (number !== again) throw new UnusableKey("it is damaged");
  const kind = secret.string().toString();
  const jwk = readFields(kind, secret);
  return privateKey(createPrivateKey({ key: jwk, format: "jwk" }), secret.string().toString());
}

function readFields(kind: string, secret: SshFields): webcrypto.JsonWebKey {
  if (kind === "ssh-ed25519") {
    const x = secret.string();
    return { kty: "OKP", crv: "Ed25519", x: url(x), d: url(secret.string().subarray(0, 32)) };
  }
  if (kind === "ssh-rsa") {
    const [n, e, d, qi, p, q] = [1, 2, 3, 4, 5, 6].map(() => secret.string()) as [
      ...[Buffer, Buffer, Buffer, Buffer, Buffer, Buffer],
    ];
    const less = (prime: Buffer) => bytesOf(numberOf(d) % (numberOf(prime) - 1n));
    const values = { n, e, d, p, q, dp: less(p), dq: less(q), qi };
    return {
      kty: "RSA",
      ...Object.fromEntries(Object.entries(values).map(([name, value]) => [name, url(trimmed(value))])),
    };
  }
  const curve = curves.find(({ name }) => kind === `ecdsa-sha2-${name}`);
  if (curve === undefined) throw new UnusableKey(`its kind ${JSON.stringify(kind)} is none of ed25519, rsa and ecdsa`);
  secret.string();
  const point = secret.string();
  const { size } = curve;
  if (point[0] !== 4 || point.length !== 1 + 2 * size) throw new UnusableKey("it is damaged");
  const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)];
  const d = trimmed(secret.string());
  const padded = Buffer.concat([Buffer.alloc(Math.max(0, size - d.length)), d]);
  return { kty: "EC", crv: curve.jwk, x: url(x), y: url(y), d: url(padded) };
}

function readPem(text: string, path: string): PrivateKey {
  if (/^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type:.*ENCRYPTED/m.test(text)) throw new EncryptedKey();
  return privateKey(createPrivateKey(text), path);
}

function privateKey(key: KeyObject, comment: string): PrivateKey {
  const jwk = key.export({ format: "jwk" });
  const field = (name: "n" | "e" | "x" | "y") => Buffer.from(jwk[name] ?? "", "base64url");
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519") {
    const kind = sshString("ssh-ed25519");
    return {
      publicKey: Buffer.concat([kind, sshString(field("x"))]),
      comment,
      sign: (data) => Buffer.concat([kind, sshString(sign(null, data, key))]),
    };
  }
  if (jwk.kty === "RSA") {
    return {
      publicKey: Buffer.concat([sshString("ssh-rsa"), sshNumber(field("e")), sshNumber(field("n"))]),
      comment,
      sign: (data, flags) => {
        const [name, hash] =
          (flags & RSA_SHA2_512) !== 0
            ? ["rsa-sha2-512", "sha512"]
            : (flags & RSA_SHA2_256) !== 0
              ? ["rsa-sha2-256", "sha256"]
              : ["ssh-rsa", "sha1"];
        return Buffer.concat([sshString(name), sshString(sign(hash, data, key))]);
      },
    };
  }
  const curve = curves.find((each) => jwk.kty === "EC" && each.jwk === jwk.crv);
  if (curve === undefined) throw new UnusableKey("its kind is none of ed25519, rsa and ecdsa");
  const kind = sshString(`ecdsa-sha2-${curve.name}`);
  const point = Buffer.concat([Buffer.of(4), field("x"), field("y")]);
  return {
    publicKey: Buffer.concat([kind, sshString(curve.name), sshString(point)]),
    comment,
    sign: (data) => {
      const both = sign(curve.hash, data, { key, dsaEncoding: "ieee-p1363" });
      const [r, s] = [both.subarray(0, curve.size), both.subarray(curve.size)];
      return Buffer.concat([kind, sshString(Buffer.concat([sshNumber(r), sshNumber(s)]))]);
    },
  };
}

function url(bytes: Buffer): string {
  return bytes.toString("base64url");
}

/** Without the zeros before it. */
function trimmed(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  return bytes.subarray(start);
}

function numberOf(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString("hex")}`);
}

function bytesOf(value: bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
}
