import type { UserNamespaceMode } from "../../engine/specification/run-options.ts";
import { InvalidValue } from "../invalid-value.ts";
import { parseJoined } from "./namespace-option.ts";

const LARGEST_ID = 2 ** 32 - 2;

/**
 * Reads the value of `--userns`: `host`, or Podman's `keep-id[:uid=UID,gid=GID]`, `container:NAME` and `ns:PATH`.
 * @throws InvalidValue
 */
export function parseUsernsOption(text: string): UserNamespaceMode {
  if (text === "host") return { kind: "host" };
  if (text === "keep-id") return { kind: "keep-id", uid: undefined, gid: undefined };
  const joined = parseJoined(text);
  if (joined !== undefined) return { kind: "joined", joined };
  const given = new Map<string, number>();
  const [, ids = ""] = /^keep-id:(.*)$/.exec(text) ?? [];
  for (const word of ids.split(",")) {
    const [, key, digits] = /^(uid|gid)=(\d+)$/.exec(word) ?? [];
    const id = Number(digits);
    if (key === undefined || id > LARGEST_ID)
      throw new InvalidValue("expected host, keep-id[:uid=UID,gid=GID], container:NAME or ns:PATH");
    if (given.has(key)) throw new InvalidValue(`${key} is given twice`);
    given.set(key, id);
  }
  return { kind: "keep-id", uid: given.get("uid"), gid: given.get("gid") };
}
