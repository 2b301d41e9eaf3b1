/*
 * The instructions of a Dockerfile as they are read: words are as written, with their variables and quotation marks,
 * because what variables mean is only known when the stage is built. `expandInstruction` puts the values in; the same
 * types then hold what is meant.
 */
import type { SourceLocation, SourceText } from "./source-text.ts";

/** What quotes characters and continues lines; the directive `escape`. */
export type EscapeCharacter = "\\" | "`";

/** A file that is written into the Dockerfile itself, between `<<NAME` and `NAME`. */
export interface Heredoc {
  /** Its delimiter, which is also the name of the file that COPY makes of it. */
  readonly name: string;
  /** Its lines as they stand there, with their ends. */
  readonly content: string;
  /** Whether variables in it are replaced: not if any part of the delimiter is quoted. */
  readonly expands: boolean;
  /** Whether tabs at the beginning of its lines are not part of it: `<<-NAME`. */
  readonly stripsTabs: boolean;
}

/** A command, for the shell or as its words. */
export type CommandLine =
  | {
      readonly form: "shell";
      /** One line, continuation lines joined. */
      readonly text: string;
      readonly heredocs: readonly Heredoc[];
    }
  | { readonly form: "exec"; readonly words: readonly string[] };

/** `NAME=VALUE` of ENV and LABEL. */
export interface NamedValue {
  readonly name: string;
  readonly value: string;
  /** Whether it is written in the old form, with a blank instead of the equals sign. */
  readonly isLegacy: boolean;
}

/** A health check in the form of an image's configuration: durations in nanoseconds. */
export interface Healthcheck {
  /** `["NONE"]`, `["CMD", ...]` or `["CMD-SHELL", text]`. */
  readonly Test: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

interface Written<Name extends string> {
  readonly name: Name;
  /** The name as it is written: `from`, `FROM`. */
  readonly keyword: string;
  readonly location: SourceLocation;
  /** The whole instruction in one line, without continuations, comments and heredocs' contents. */
  readonly text: string;
  /** The lines of comment directly above it, without `#` and blanks around. */
  readonly comments: readonly string[];
}

interface Copied {
  readonly sources: readonly string[];
  /** Sources that are written here. */
  readonly heredocs: readonly Heredoc[];
  readonly destination: string;
  /** `USER[:GROUP]`, names or numbers; undefined for 0:0. */
  readonly chown: string | undefined;
  /** An octal number or a symbolic mode. */
  readonly chmod: string | undefined;
  readonly link: boolean;
  readonly exclude: readonly string[];
}

export type Instruction =
  | (Written<"ADD"> &
      Copied & {
        /** What the downloaded file or the checked out commit must be: `sha256:...`, or a commit. */
        readonly checksum: string | undefined;
        readonly keepGitDirectory: boolean;
        /** Undefined: archives of the context are unpacked, downloaded ones are not. */
        readonly unpack: boolean | undefined;
      })
  | (Written<"ARG"> & { readonly arguments: readonly { readonly name: string; readonly value: string | undefined }[] })
  | (Written<"CMD"> & { readonly command: CommandLine })
  | (Written<"COPY"> &
      Copied & {
        /** A stage by name or number, a named context, or an image; undefined for the build context. */
        readonly from: string | undefined;
        readonly parents: boolean;
      })
  | (Written<"ENTRYPOINT"> & { readonly command: CommandLine })
  | (Written<"ENV"> & { readonly values: readonly NamedValue[] })
  | (Written<"EXPOSE"> & { readonly ports: readonly string[] })
  | (Written<"FROM"> & {
      /** An image, `scratch`, a named context, or a stage above. */
      readonly base: string;
      /** What this stage is called, in lower case. */
      readonly stageName: string | undefined;
      readonly platform: string | undefined;
    })
  | (Written<"HEALTHCHECK"> & { readonly healthcheck: Healthcheck })
  | (Written<"LABEL"> & { readonly values: readonly NamedValue[] })
  | (Written<"MAINTAINER"> & { readonly maintainer: string })
  | (Written<"ONBUILD"> & {
      /** The instruction to be done by whoever builds on the image, as its configuration keeps it. */
      readonly trigger: string;
    })
  | (Written<"RUN"> & {
      readonly command: CommandLine;
      /** The values of `--mount`, as written; `runMounts` reads them. */
      readonly mounts: readonly string[];
      /** What the mounts are from: stages, named contexts or images, which cannot be given by variables. */
      readonly mountedFrom: readonly string[];
      readonly network: "default" | "none" | "host";
      readonly security: "sandbox" | "insecure";
    })
  | (Written<"SHELL"> & { readonly shell: readonly string[] })
  | (Written<"STOPSIGNAL"> & { readonly signal: string })
  | (Written<"USER"> & { readonly user: string })
  | (Written<"VOLUME"> & { readonly paths: readonly string[] })
  | (Written<"WORKDIR"> & { readonly path: string });

export type InstructionName = Instruction["name"];

/** One kind of instruction: `InstructionNamed<"COPY">`. */
export type InstructionNamed<Name extends InstructionName> = Extract<Instruction, { readonly name: Name }>;

/** An instruction that stands in a stage. */
export type StageInstruction = Exclude<Instruction, { readonly name: "FROM" }>;

/** FROM and what follows it. */
export interface Stage {
  /** From 0, in the order of the file: `COPY --from=0`. */
  readonly index: number;
  readonly from: InstructionNamed<"FROM">;
  readonly instructions: readonly StageInstruction[];
}

/** Comments at the beginning of a file that say how it is to be read: `# syntax=docker/dockerfile:1`. */
export interface Directives {
  readonly syntax: string | undefined;
  readonly escape: EscapeCharacter;
  readonly check: string | undefined;
}

export interface Dockerfile {
  readonly source: SourceText;
  readonly directives: Directives;
  /** The ARGs before the first stage, which FROM may use. */
  readonly globalArguments: readonly InstructionNamed<"ARG">[];
  readonly stages: readonly [Stage, ...Stage[]];
  /** The last lines of instructions that have empty lines within them. */
  readonly emptyContinuations: readonly number[];
}

/** What a RUN has mounted while it runs. */
export type RunMount =
  | {
      readonly type: "bind";
      /** A stage, named context or image; undefined for the build context. */
      readonly from: string | undefined;
      /** A path in what it is from. */
      readonly source: string;
      readonly target: string;
      readonly isReadOnly: boolean;
    }
  | {
      readonly type: "cache";
      readonly id: string;
      /** What it is filled from at first; undefined for nothing. */
      readonly from: string | undefined;
      readonly source: string;
      readonly target: string;
      readonly isReadOnly: boolean;
      readonly sharing: "shared" | "private" | "locked";
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      readonly type: "tmpfs";
      readonly target: string;
      /** Bytes. */
      readonly size: number | undefined;
    }
  | {
      readonly type: "secret";
      readonly id: string;
      /** Undefined where it is only put into the environment. */
      readonly target: string | undefined;
      /** The variable that it is put into. */
      readonly environmentVariable: string | undefined;
      readonly isRequired: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      readonly type: "ssh";
      readonly id: string;
      /** Undefined for a name that nothing else has: /run/buildkit/ssh_agent.N. */
      readonly target: string | undefined;
      readonly isRequired: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };
