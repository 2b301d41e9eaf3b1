import type { ImageConfiguration as WholeConfiguration } from "../../image/documents.ts";

/** The part of an image's configuration that says how its containers run; a directory has none of it. */
export type ImageConfiguration = Partial<
  Pick<
    WholeConfiguration,
    | "environment"
    | "entrypoint"
    | "command"
    | "user"
    | "workingDirectory"
    | "stopSignal"
    | "labels"
    | "healthcheck"
    | "shell"
    | "exposedPorts"
    | "volumes"
  >
>;
