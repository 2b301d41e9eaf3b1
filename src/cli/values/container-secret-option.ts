import type { SecretRequest } from "../../engine/specification/run-options.ts";
import { nearestName } from "../../nearest-name.ts";
import { InvalidValue } from "../invalid-value.ts";
import { fieldsOf } from "./fields.ts";
import { integerBetween } from "./numbers.ts";
import { parseMountPoint } from "./paths.ts";

const KEYS = ["source", "src", "type", "target", "uid", "gid", "mode"];
const SECRETS = "/run/secrets";
const readId = integerBetween(0, 2 ** 32 - 2);

/**
 * Reads the value of `--secret` of containers, as Podman and Docker's services have it:
 * `NAME[,type=mount|env][,target=TARGET][,uid=UID][,gid=GID][,mode=MODE]`, or `source=NAME,…`.
 * @throws InvalidValue
 */
export function parseContainerSecret(text: string): SecretRequest {
  const [first = "", ...others] = fieldsOf(text);
  const values = new Map<string, string>();
  for (const field of first.includes("=") ? [first, ...others] : [`source=${first}`, ...others]) {
    const [, key, value] = /^([^=]*)=(.*)$/s.exec(field) ?? [];
    if (key === undefined || value === undefined) throw new InvalidValue(`expected KEY=VALUE, got ${field}`);
    const name = key.toLowerCase();
    if (!KEYS.includes(name)) {
      const near = nearestName(name, KEYS);
      throw new InvalidValue(`there is no field ${key}${near === undefined ? "" : `; did you mean ${near}?`}`);
    }
    values.set(name === "src" ? "source" : name, value);
  }
  const source = values.get("source") ?? "";
  if (source === "") throw new InvalidValue("expected NAME[,type=mount|env][,target=TARGET]");
  const target = values.get("target") || source;
  const type = values.get("type") ?? "mount";
  if (type === "env") {
    const surplus = ["uid", "gid", "mode"].find((key) => values.has(key));
    if (surplus !== undefined) throw new InvalidValue(`a variable (type=env) has no ${surplus}`);
    if (target.includes("=")) throw new InvalidValue("the name of a variable has no =");
    return { type, source, target };
  }
  if (type !== "mount") throw new InvalidValue("type is mount or env");
  return {
    type,
    source,
    target: parseMountPoint(target.startsWith("/") ? target : `${SECRETS}/${target}`),
    uid: readId(values.get("uid") ?? "0"),
    gid: readId(values.get("gid") ?? "0"),
    mode: parseMode(values.get("mode") ?? "0444"),
  };
}

function parseMode(text: string): number {
  if (/^0?[0-7]{1,3}$/.test(text)) return Number.parseInt(text, 8);
  throw new InvalidValue("mode is an octal number up to 0777");
}
