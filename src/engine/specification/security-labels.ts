import { BunkerError } from "../../sys/error.ts";

const PARTS = ["user", "role", "type", "level"] as const;
type Part = (typeof PARTS)[number];

const DEFAULT_LABEL: Readonly<Record<Part, string>> = {
  user: "system_u",
  role: "system_r",
  type: "container_t",
  level: "s0",
};

/** The SELinux contexts of a container's processes and of its files. */
export interface SecurityLabels {
  readonly processLabel: string | undefined;
  readonly mountLabel: string | undefined;
}

/**
 * Makes SELinux contexts from the values of `--security-opt label=…`.
 * @param options `disable`, or `user:U`, `role:R`, `type:T`, `level:L` and, for the files, `filetype:T`. Nothing, and
 * `disable`, leave the caller's context as it is; what is not named is as for containers in the reference policy
 * @throws BunkerError `invalid_label`
 */
export function securityLabels(options: readonly string[]): SecurityLabels {
  const label = { ...DEFAULT_LABEL };
  let fileType = "container_file_t";
  for (const option of options) {
    const separator = option.indexOf(":");
    const name = option.slice(0, Math.max(separator, 0));
    const value = option.slice(separator + 1);
    const part = PARTS.find((candidate) => candidate === name);
    if (part !== undefined && value !== "") label[part] = value;
    else if (name === "filetype" && value !== "") fileType = value;
    else if (option !== "disable") throw invalidLabel(option);
  }
  if (options.length === 0 || options.includes("disable")) return { processLabel: undefined, mountLabel: undefined };
  return {
    processLabel: `${label.user}:${label.role}:${label.type}:${label.level}`,
    mountLabel: `${label.user}:object_r:${fileType}:${label.level}`,
  };
}

function invalidLabel(option: string): BunkerError {
  return new BunkerError({
    code: "invalid_label",
    operation: "read",
    object: `--security-opt label=${option}`,
    reason: "expected disable, user:NAME, role:NAME, type:NAME, level:RANGE or filetype:NAME",
  });
}
