import { BunkerError } from "../sys/error.ts";
import { isKnownSyntax } from "./dockerfile/logical-lines.ts";

/** What `--build-arg` says to the builder and not to the Dockerfile: "BuildKit built-in build args" in the reference. */
export interface BuilderArguments {
  /** BUILDKIT_CACHE_MOUNT_NS: whose directories cache mounts share; empty for everybody's. */
  readonly cacheMountNamespace: string;
  /** BUILDKIT_CONTEXT_KEEP_GIT_DIR: whether a context out of a repository has its `.git`. */
  readonly keepsGitDirectory: boolean;
  /** BUILDKIT_INLINE_CACHE: as `--cache-to type=inline`. */
  readonly cachesInline: boolean;
  /** BUILDKIT_MULTI_PLATFORM: whether also one image is in an index. */
  readonly isIndex: boolean;
  /** BUILDKIT_SANDBOX_HOSTNAME: of commands. */
  readonly hostname: string;
}

const NAMES = [
  ...["BUILDKIT_CACHE_MOUNT_NS", "BUILDKIT_CONTEXT_KEEP_GIT_DIR", "BUILDKIT_DOCKERFILE_CHECK", "BUILDKIT_INLINE_CACHE"],
  ...["BUILDKIT_MULTI_PLATFORM", "BUILDKIT_SANDBOX_HOSTNAME", "BUILDKIT_SYNTAX", "SOURCE_DATE_EPOCH"],
];

/** Whether an argument means something to the builder. */
export function isBuilderArgument(name: string): boolean {
  return NAMES.includes(name);
}

/**
 * Reads them.
 * @throws BunkerError `invalid_build_argument`
 */
export function builderArguments(given: ReadonlyMap<string, string>): BuilderArguments {
  const isOn = (name: string) => {
    const text = given.get(name) ?? "";
    if (text === "" || /^(?:0|f|false)$/i.test(text)) return false;
    if (/^(?:1|t|true)$/i.test(text)) return true;
    throw invalid(name, text, "it is no truth value", "Give 0 or 1.");
  };
  const syntax = given.get("BUILDKIT_SYNTAX") ?? "";
  if (syntax !== "" && !isKnownSyntax(syntax)) {
    throw invalid("BUILDKIT_SYNTAX", syntax, "it is another language than docker/dockerfile", "Leave it out.");
  }
  const hostname = given.get("BUILDKIT_SANDBOX_HOSTNAME") ?? "";
  if (!/^[\w.-]{0,64}$/.test(hostname)) {
    throw invalid(
      "BUILDKIT_SANDBOX_HOSTNAME",
      hostname,
      "it is no host name",
      "Give letters, digits, dots and dashes.",
    );
  }
  return {
    cacheMountNamespace: given.get("BUILDKIT_CACHE_MOUNT_NS") ?? "",
    keepsGitDirectory: isOn("BUILDKIT_CONTEXT_KEEP_GIT_DIR"),
    cachesInline: isOn("BUILDKIT_INLINE_CACHE"),
    isIndex: isOn("BUILDKIT_MULTI_PLATFORM"),
    hostname: hostname === "" ? "buildkitsandbox" : hostname,
  };
}

function invalid(name: string, value: string, reason: string, hint: string): BunkerError {
  return new BunkerError({
    code: "invalid_build_argument",
    operation: `read the build argument ${name}`,
    object: JSON.stringify(value),
    ...{ reason, hint, exitStatus: 1 },
  });
}
