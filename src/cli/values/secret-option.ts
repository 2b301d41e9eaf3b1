import { resolve } from "node:path";
import type { AgentSource } from "../../build/secrets/agent-source.ts";
import type { SecretSource } from "../../build/secrets/secret-source.ts";
import { nearestName } from "../../nearest-name.ts";
import { InvalidValue } from "../invalid-value.ts";
import { fieldsOf } from "./fields.ts";

const KEYS = ["id", "src", "source", "env", "type"];

/**
 * Reads the value of `--secret`: `id=ID[,src=PATH|,env=NAME][,type=file|env]`. Without a source it is the variable of the
 * environment that is called so, or else the file.
 * @throws InvalidValue
 */
export function parseSecretOption(text: string): SecretSource {
  const values = new Map<string, string>();
  for (const field of fieldsOf(text)) {
    const [, key, value] = /^([^=]*)=(.*)$/s.exec(field) ?? [];
    if (key === undefined || value === undefined) throw new InvalidValue("expected id=ID[,src=PATH|,env=NAME]");
    if (!KEYS.includes(key)) {
      const near = nearestName(key, KEYS);
      throw new InvalidValue(`there is no field ${key}${near === undefined ? "" : `; did you mean ${near}?`}`);
    }
    values.set(key === "source" ? "src" : key, value);
  }
  const id = values.get("id") ?? "";
  if (id === "") throw new InvalidValue("expected id=ID[,src=PATH|,env=NAME]");
  const type = values.get("type");
  if (type !== undefined && type !== "file" && type !== "env") throw new InvalidValue("type is file or env");
  const source = values.get("src");
  const name = values.get("env") ?? (type === "env" ? (source ?? id) : undefined);
  if (name !== undefined) {
    if (type === "file" || (values.has("env") && source !== undefined)) {
      throw new InvalidValue("a secret is from a file or from the environment, not both");
    }
    return { id, from: { kind: "environment", name } };
  }
  if (source === undefined && type === undefined && process.env[id] !== undefined) {
    return { id, from: { kind: "environment", name: id } };
  }
  return { id, from: { kind: "file", path: resolve(source ?? id) } };
}

/**
 * Reads the value of `--ssh`: `ID[=SOCKET]` or `ID=KEY[,KEY]`, where `default` is what RUN asks for without an id.
 * @throws InvalidValue
 */
export function parseSshOption(text: string): AgentSource {
  const [, id = "", paths = ""] = /^([^=]*)(?:=(.*))?$/s.exec(text) ?? [];
  if (id === "") throw new InvalidValue("expected default, ID=SOCKET or ID=KEY");
  return { id, paths: paths === "" ? [] : paths.split(",").map((path) => resolve(path)) };
}
