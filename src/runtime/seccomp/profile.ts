import * as v from "valibot";
import { BunkerError } from "../../sys/error.ts";
import { parseExactJson } from "./exact-json.ts";
import {
  SECCOMP_ACTIONS,
  SECCOMP_ARCHITECTURES,
  SECCOMP_FLAGS,
  SECCOMP_OPERATORS,
  type Seccomp,
  type SeccompArchitecture,
  type SeccompRule,
} from "./seccomp.ts";

/** The circumstances under which a rule of a profile is taken or left. */
export interface ProfileCondition {
  /** Capabilities of the container, `CAP_…`: for `includes` all of them, for `excludes` any. */
  readonly caps?: readonly string[] | undefined;
  /** Names as Docker has them: `amd64`, `arm64`. */
  readonly arches?: readonly string[] | undefined;
  /** The first kernel version, as `4.8`, empty for any. */
  readonly minKernel?: string | undefined;
}

/** A rule of a profile. */
export interface ProfileRule extends Omit<SeccompRule, "names"> {
  readonly names?: readonly string[] | undefined;
  /** The old form of `names`, for one call. */
  readonly name?: string | undefined;
  readonly comment?: string | undefined;
  readonly includes?: ProfileCondition | undefined;
  readonly excludes?: ProfileCondition | undefined;
}

/** An architecture with those that its kernels also run. */
interface ProfileArchitecture {
  readonly architecture: SeccompArchitecture;
  readonly subArchitectures?: readonly SeccompArchitecture[] | undefined;
}

/** A seccomp profile in Docker's schema: `linux.seccomp` with rules that depend on the host and the container. */
export interface Profile extends Omit<Seccomp, "syscalls"> {
  readonly archMap?: readonly ProfileArchitecture[] | undefined;
  readonly syscalls?: readonly ProfileRule[] | undefined;
}

/** A member that may be missing or null, as Docker's own profiles have them; both become undefined. */
function optional<Schema extends v.GenericSchema>(schema: Schema) {
  return v.nullish(schema, () => undefined);
}

function profileSchema() {
  const strings = v.array(v.string());
  const architecture = v.picklist(SECCOMP_ARCHITECTURES);
  const unsigned = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
  const value = v.union([unsigned, v.pipe(v.bigint(), v.minValue(0n), v.maxValue(2n ** 64n - 1n))]);
  const condition = v.object({
    caps: optional(strings),
    arches: optional(strings),
    minKernel: optional(v.pipe(v.string(), v.regex(/^(?:|\d{1,3}\.\d{1,3})$/, 'must be as "4.8"'))),
  });
  const argument = v.object({
    index: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(5)),
    value,
    valueTwo: optional(value),
    op: v.picklist(SECCOMP_OPERATORS),
  });
  const rule = v.pipe(
    v.object({
      names: optional(strings),
      name: optional(v.string()),
      action: v.picklist(SECCOMP_ACTIONS),
      errnoRet: optional(unsigned),
      args: optional(v.array(argument)),
      comment: optional(v.string()),
      includes: optional(condition),
      excludes: optional(condition),
    }),
    v.check(({ name, names }) => !name || !names?.length, "has both name and names"),
    v.check(({ name, names }) => Boolean(name) || Boolean(names?.length), "has neither name nor names"),
  );
  return v.pipe(
    v.object({
      defaultAction: v.picklist(SECCOMP_ACTIONS),
      defaultErrnoRet: optional(unsigned),
      architectures: optional(v.array(architecture)),
      archMap: optional(v.array(v.object({ architecture, subArchitectures: optional(v.array(architecture)) }))),
      flags: optional(v.array(v.picklist(SECCOMP_FLAGS))),
      listenerPath: optional(v.string()),
      listenerMetadata: optional(v.string()),
      syscalls: optional(v.array(rule)),
    }),
    v.check(
      ({ architectures, archMap }) => !architectures?.length || !archMap?.length,
      "has both architectures and archMap",
    ),
  );
}

/**
 * Parses a seccomp profile in Docker's schema, which plain `linux.seccomp` objects also fit. Members that the schema
 * does not have are ignored, as Docker does. Unlike Docker, a profile without `defaultAction` is an error instead of
 * no filter at all.
 * @param text JSON
 * @throws BunkerError `seccomp_profile_invalid`, naming the first member that is wrong
 */
export function parseProfile(text: string): Profile {
  let json: unknown;
  try {
    json = parseExactJson(text);
  } catch (error) {
    throw new BunkerError(
      {
        code: "seccomp_profile_invalid",
        operation: "read the seccomp profile",
        reason: `not JSON: ${error instanceof Error ? error.message : String(error)}`,
      },
      { cause: error },
    );
  }
  const parsed = v.safeParse(profileSchema(), json, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new BunkerError({
    code: "seccomp_profile_invalid",
    operation: "read the seccomp profile",
    object: v.getDotPath(issue) ?? undefined,
    reason: issue.message,
  });
}
