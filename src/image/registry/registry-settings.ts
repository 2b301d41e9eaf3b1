import type { Credentials } from "./credentials/credentials.ts";
import type { Patience } from "./patience.ts";

/** What a command says of the registries it uses. */
export interface RegistrySettings {
  /** `--tls-verify`; undefined where it was not given: then the configuration and the host decide. */
  readonly tlsVerify?: boolean | undefined;
  /** `--cert-dir` */
  readonly certificateDirectory?: string | undefined;
  /** `--authfile` */
  readonly authFile?: string | undefined;
  /**
   * `--creds`: instead of what was kept at login, for the registry that a name has; mirrors, and others that
   * registries.conf puts in its place, are not told it.
   */
  readonly credentials?: Credentials | undefined;
  /** `--src-no-creds` of copy: no login is used, also where one is kept. */
  readonly withoutLogin?: boolean | undefined;
  /** `--retry`: how often to ask again, after failures that may pass. */
  readonly retries?: number | undefined;
  /** `--retry-delay`: milliseconds before each further attempt, instead of ever longer ones. */
  readonly retryDelay?: number | undefined;
  /** How long to wait and how often to ask; the usual unless given. */
  readonly patience?: Patience | undefined;
}
