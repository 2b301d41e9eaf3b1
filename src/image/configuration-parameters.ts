/** The part of a configuration that says how containers run, with Docker's names; OCI image specification, config.md. */
export interface ConfigurationParameters {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly OnBuild?: readonly string[];
  /** Docker's: see `Healthcheck` in the Dockerfile language; durations in nanoseconds. */
  readonly Healthcheck?: object;
  /** Docker's: what runs commands that are one text. */
  readonly Shell?: readonly string[];
}

/** Something that an image is to have otherwise. */
export type ConfigurationChange = (parameters: ConfigurationParameters) => ConfigurationParameters;
