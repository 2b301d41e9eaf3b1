/** What was found out about one thing that the host allows or not. */
export interface Finding {
  /** The thing: `user namespaces`. */
  readonly check: string;
  /** `ok`; `limited` where containers run but lack something; `failed` where they do not run. */
  readonly state: "ok" | "limited" | "failed";
  /** The fact itself. */
  readonly found: string;
  /** What it means for containers: what Bunker does about it. */
  readonly effect: string;
  /** The line that an administrator could type to change it, if there is one. */
  readonly remedy?: string | undefined;
}

/** Who asks. */
export interface Caller {
  readonly uid: number;
  /** The caller's group, and all others they are in. */
  readonly gids: readonly number[];
  /** The login name, or the number of a user without one. */
  readonly name: string;
  /** Whether the caller may map any ids by themselves, as root. */
  readonly isPrivileged: boolean;
}
