import { nearestName } from "../../nearest-name.ts";
import { InvalidValue } from "../invalid-value.ts";
import { parseBoolean } from "../option.ts";
import { quote } from "../option-table.ts";

/** One `--security-opt`. */
export type SecurityOption =
  | { readonly kind: "seccomp"; readonly profile: string }
  | { readonly kind: "no-new-privileges"; readonly enabled: boolean }
  | { readonly kind: "apparmor"; readonly profile: string }
  | { readonly kind: "label"; readonly label: string }
  | { readonly kind: "mask" | "unmask"; readonly paths: readonly string[] }
  | { readonly kind: "systempaths" };

const KINDS = ["seccomp", "no-new-privileges", "apparmor", "label", "mask", "unmask", "systempaths"];

/**
 * Reads the value of `--security-opt`: `KIND=VALUE`, or `KIND:VALUE` as Docker once wrote it. The file of
 * `seccomp=FILE` is not read here.
 * @throws InvalidValue
 */
export function parseSecurityOption(text: string): SecurityOption {
  const separator = text.search(/[=:]/);
  const kind = separator < 0 ? text : text.slice(0, separator);
  const value = separator < 0 ? undefined : text.slice(separator + 1);
  if (kind === "no-new-privileges") return { kind, enabled: value === undefined || parseBoolean(value) };
  if (!KINDS.includes(kind)) {
    const nearest = nearestName(kind, KINDS);
    throw new InvalidValue(nearest === undefined ? `expected ${KINDS.join(", ")}` : `did you mean ${nearest}?`);
  }
  if (value === undefined || value === "") throw new InvalidValue(`${kind} needs a value: ${kind}=…`);
  switch (kind) {
    case "seccomp":
    case "apparmor":
      return { kind, profile: value };
    case "label":
      return { kind, label: checkedLabel(value) };
    case "mask":
    case "unmask":
      return { kind, paths: checkedPaths(kind, value) };
    default:
      if (value !== "unconfined") throw new InvalidValue("expected systempaths=unconfined");
      return { kind: "systempaths" };
  }
}

function checkedLabel(label: string): string {
  if (label !== "disable" && !/^(user|role|type|level):./.test(label)) {
    throw new InvalidValue("expected label=disable, or label=user:…, role:…, type:… or level:…");
  }
  return label;
}

/** Podman's lists of paths, separated by colons; only unmasking knows ALL. */
function checkedPaths(kind: "mask" | "unmask", value: string): readonly string[] {
  const paths = value.split(":");
  for (const path of paths) {
    if (path.startsWith("/") || (kind === "unmask" && path === "ALL")) continue;
    throw new InvalidValue(`${quote(path)} is no absolute path${kind === "unmask" ? ", nor ALL" : ""}`);
  }
  return paths;
}
