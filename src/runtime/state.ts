/** A container's state as hooks and the command `state` show it; runtime.md, "State". */
export interface State {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: "creating" | "created" | "running" | "stopped" | "paused";
  /** Present while there is a process. */
  readonly pid?: number | undefined;
  readonly bundle: string;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** The version of the OCI runtime specification that Bunker follows. */
export const OCI_VERSION = "1.2.0";
