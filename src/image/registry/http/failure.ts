import { BunkerError, type ErrorDetails } from "../../../sys/error.ts";

/** A failure that another attempt may not meet: carried between the layers of the client, never shown itself. */
export class TransientFailure extends Error {
  override readonly name = "TransientFailure";
  /** What the user gets when no attempt is left. */
  readonly error: BunkerError;
  /** Milliseconds that the server asked to wait; none where that is 0, as it is of a date that is past by a wrong clock. */
  readonly delay: number | undefined;
  /** How many attempts it counts for: a server that was waited for in vain is not waited for so often again. */
  readonly weight: number;

  constructor(error: BunkerError, delay?: number) {
    super(error.message, { cause: error });
    this.error = error;
    this.delay = delay === 0 ? undefined : delay;
    this.weight = error.code === "registry_timeout" ? 2 : 1;
  }
}

/**
 * The failure that may pass which something is in the middle of a transfer: a server that was there a moment ago, and
 * cannot be reached at all now, will be there again when this machine has its network back.
 * @returns undefined for what will not pass
 */
export function passingInTransfer(failure: unknown): TransientFailure | undefined {
  if (failure instanceof TransientFailure) return failure;
  const isUnreachable = failure instanceof BunkerError && failure.code === "registry_unreachable";
  return isUnreachable ? new TransientFailure(failure) : undefined;
}

/** What stays the same of all failures of one request. */
export type Attempt = Pick<ErrorDetails, "operation" | "object">;

/** Errors of certificates, in the words of OpenSSL's numbers. */
const CERTIFICATE_ERRORS: Readonly<Record<string, string>> = {
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is by an unknown authority",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is by an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT: "its certificate is by an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is by an unknown authority",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  CERT_REVOKED: "its certificate is revoked",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host",
};

/** Of those, what may be the fault of this machine's clock. */
const MATTERS_OF_TIME: ReadonlySet<string> = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]);

/** Failures to connect that the next attempt will not see otherwise. */
const LASTING: Readonly<Record<string, string>> = {
  ENOTFOUND: "no such host",
  EPROTO: "it does not speak TLS",
  Malformed_HTTP_Response: "it does not answer in HTTP",
  FailedToOpenSocket: "the connection cannot be opened",
  EHOSTUNREACH: "no route to it",
  ENETUNREACH: "no network",
};

const PASSING: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "it closed the connection",
  ETIMEDOUT: "no answer",
  EAI_AGAIN: "its name cannot be resolved now",
};

/** What a proxy says by which it refuses to connect, and will again. */
const PROXY_REFUSAL = /^Proxy refused to open a tunnel: (4\d\d)/;

/**
 * Makes of what fetch throws what the client throws.
 * @param host whom it was talking to
 * @param proxy the URL of the proxy that it was talking by
 */
export function connectionFailure(
  cause: unknown,
  attempt: Attempt,
  host: string,
  proxy: string | undefined,
): BunkerError | TransientFailure {
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "";
  const certificate = CERTIFICATE_ERRORS[code];
  if (certificate !== undefined) {
    return new BunkerError(
      {
        ...attempt,
        code: "registry_untrusted",
        reason: `${host}: ${certificate}`,
        hint: MATTERS_OF_TIME.has(code)
          ? `This machine's clock says ${new Date().toISOString()}; if that is wrong, set it.`
          : `Put its authority into ~/.config/containers/certs.d/${host}/ca.crt, or give --tls-verify=false.`,
      },
      { cause },
    );
  }
  const reason = LASTING[code] ?? PASSING[code] ?? messageOf(cause);
  // Which of the two has failed is not always known; the proxy's URL may have a password, its host has none.
  const place = proxy === undefined ? host : `${host} by the proxy ${new URL(proxy).host}`;
  const [, refusal] = PROXY_REFUSAL.exec(reason) ?? [];
  const hint = refusal === "407" ? "Put USER:PASSWORD@ before the proxy's host in HTTPS_PROXY." : undefined;
  const details = { ...attempt, code: "registry_unreachable", reason: `${place}: ${reason}`, hint };
  const error = new BunkerError(details, { cause });
  return code in LASTING || refusal !== undefined ? error : new TransientFailure(error);
}

/** What an error says, without the advice that Bun gives to programmers behind it. */
function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.replace(/ fetching ".*$/s, "") : String(cause);
}
