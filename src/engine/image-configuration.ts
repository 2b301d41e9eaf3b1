/**
 * The part of an image's configuration that says how its containers run: members of `config` in the OCI image
 * specification, config.md, with their names there.
 */
export interface ImageConfiguration {
  /** `NAME=value` entries. */
  readonly Env?: readonly string[] | undefined;
  readonly Entrypoint?: readonly string[] | undefined;
  readonly Cmd?: readonly string[] | undefined;
  /** As for `--user`. */
  readonly User?: string | undefined;
  readonly WorkingDir?: string | undefined;
  /** A signal as `parseSignal` reads it. */
  readonly StopSignal?: string | undefined;
}
