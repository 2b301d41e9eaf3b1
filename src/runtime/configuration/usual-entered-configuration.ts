/*
 * What of a config.json matters to a further process, by little code. The schemas are most of what checking takes, and
 * `exec` would load them for nothing else. So a configuration that has only what most have is checked here, member by
 * member, and any other, also one that is wrong, is left to them.
 */
import { isObject } from "../../notation/is-object.ts";
import type { EnteredConfiguration, Process } from "./configuration.ts";
import { NamespaceFlag } from "./namespaces.ts";

/**
 * Reads a config.json as `parseEnteredConfiguration` does.
 * @returns undefined for a configuration that has to be read by that
 */
export function usualEnteredConfiguration(text: string): EnteredConfiguration | undefined {
  const { process, annotations = {}, linux = {} } = membersOf(jsonOf(text));
  if (!isUsualProcess(process) || !isMap(annotations, isText) || !isObject(linux)) return undefined;
  const { namespaces = [], uidMappings, seccomp, personality } = linux;
  if (seccomp !== undefined || personality !== undefined) return undefined;
  if (!isList(namespaces, isNamespace)) return undefined;
  if (uidMappings !== undefined && !isList(uidMappings, isIdMapping)) return undefined;
  return { process, annotations, linux: { namespaces, uidMappings } };
}

const CAPABILITY_SETS = ["bounding", "effective", "inheritable", "permitted", "ambient"];

type Members = Readonly<Record<string, unknown>>;
type Namespace = NonNullable<NonNullable<EnteredConfiguration["linux"]>["namespaces"]>[number];
type IdMapping = NonNullable<NonNullable<EnteredConfiguration["linux"]>["uidMappings"]>[number];

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Who reads it by the schemas says what is wrong.
    return undefined;
  }
}

/** The members of an object; none of anything else. */
function membersOf(value: unknown): Members {
  return isObject(value) ? value : {};
}

// Loops, because methods of arrays cost 0.1 ms at their first call.
function isList<Item>(value: unknown, isItem: (item: unknown) => item is Item): value is readonly Item[] {
  if (!Array.isArray(value)) return false;
  for (const item of value) if (!isItem(item)) return false;
  return true;
}

function isMap<Item>(value: unknown, isItem: (item: unknown) => item is Item): value is Readonly<Record<string, Item>> {
  if (!isObject(value)) return false;
  for (const name in value) if (name === "" || !isItem(value[name])) return false;
  return true;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && !value.includes("\0");
}

function isVariable(value: unknown): value is string {
  return isText(value) && value.indexOf("=") > 0;
}

function isInteger(value: unknown, minimum: number, maximum: number): value is number {
  return Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum;
}

/** Not 2^32 - 1, which stands for no id. */
function isId(value: unknown): value is number {
  return isInteger(value, 0, 0xffff_fffe);
}

function isNamespace(value: unknown): value is Namespace {
  const { type, path } = membersOf(value);
  return typeof type === "string" && Object.keys(NamespaceFlag).includes(type) && (path === undefined || isText(path));
}

function isIdMapping(value: unknown): value is IdMapping {
  const members = membersOf(value);
  for (const name of ["containerID", "hostID", "size"]) if (!isInteger(members[name], 0, 0xffff_ffff)) return false;
  return true;
}

function isUsualProcess(value: unknown): value is Process {
  if (!isObject(value)) return false;
  for (const name in value) if (!isUsualMember(name, value[name])) return false;
  return value["args"] !== undefined && value["cwd"] !== undefined && value["user"] !== undefined;
}

function isUsualMember(name: string, value: unknown): boolean {
  switch (name) {
    case "terminal":
    case "noNewPrivileges":
      return typeof value === "boolean";
    case "args":
      return isList(value, isText) && value.length > 0;
    case "env":
      return isList(value, isVariable);
    case "cwd":
      return isText(value) && value.startsWith("/");
    case "user":
      return isUser(value);
    case "consoleSize":
      return isSize(value);
    case "capabilities":
      return isUsualCapabilities(value);
    case "rlimits":
      // Their numbers may be too large to be read exactly.
      return Array.isArray(value) && value.length === 0;
    case "apparmorProfile":
    case "selinuxLabel":
      return isText(value);
    case "oomScoreAdj":
      return isInteger(value, -1000, 1000);
    default:
      return false;
  }
}

function isUser(value: unknown): boolean {
  const { uid, gid, umask, additionalGids } = membersOf(value);
  return (
    isId(uid) &&
    isId(gid) &&
    (umask === undefined || isInteger(umask, 0, 0o777)) &&
    (additionalGids === undefined || isList(additionalGids, isId))
  );
}

function isSize(value: unknown): boolean {
  const { height, width } = membersOf(value);
  return isInteger(height, 0, 0xffff) && isInteger(width, 0, 0xffff);
}

function isUsualCapabilities(value: unknown): boolean {
  if (!isObject(value)) return false;
  for (const name in value) if (!CAPABILITY_SETS.includes(name) || !isList(value[name], isText)) return false;
  return true;
}
