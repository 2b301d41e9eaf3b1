/*
 * Changes of an image's configuration, written as instructions of a Dockerfile: `--change` of `import` and `commit`.
 * CMD, ENTRYPOINT and VOLUME may be JSON arrays; the text of the first two is otherwise a command for /bin/sh. ENV and
 * LABEL take `NAME=VALUE ...`, where values may be quoted and a backslash takes the next character as it is; ENV also
 * takes `NAME VALUE`.
 */
import { posix } from "node:path";
import * as v from "valibot";
import { BunkerError } from "../sys/error.ts";

/** The part of a configuration that says how containers run, with Docker's names; OCI image specification, config.md. */
export interface ConfigurationParameters {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly OnBuild?: readonly string[];
}

type ApplyInstruction = (text: string, parameters: ConfigurationParameters) => ConfigurationParameters;

const wordList = v.array(v.string());
const PORT = /^[0-9]{1,5}(?:-[0-9]{1,5})?(?:\/(?:tcp|udp|sctp))?$/;

const instructions: Readonly<Record<string, ApplyInstruction>> = {
  CMD: (text, parameters) => ({ ...parameters, Cmd: command(text) }),
  ENTRYPOINT: (text, parameters) => ({ ...parameters, Entrypoint: command(text) }),
  ENV: (text, parameters) => ({ ...parameters, Env: mergeEnvironment(parameters.Env ?? [], environmentPairs(text)) }),
  EXPOSE: (text, parameters) => ({ ...parameters, ExposedPorts: { ...parameters.ExposedPorts, ...ports(text) } }),
  LABEL: (text, parameters) => ({
    ...parameters,
    Labels: { ...parameters.Labels, ...Object.fromEntries(pairs(splitWords(text))) },
  }),
  ONBUILD: (text, parameters) => ({ ...parameters, OnBuild: [...(parameters.OnBuild ?? []), text] }),
  STOPSIGNAL: (text, parameters) => ({ ...parameters, StopSignal: text }),
  USER: (text, parameters) => ({ ...parameters, User: text }),
  VOLUME: (text, parameters) => ({
    ...parameters,
    Volumes: { ...parameters.Volumes, ...asSet(jsonWords(text) ?? splitWords(text)) },
  }),
  WORKDIR: (text, parameters) => ({
    ...parameters,
    WorkingDir: posix.resolve("/", parameters.WorkingDir ?? "", text),
  }),
};

/**
 * Applies instructions, one after the other.
 * @param changes such as `CMD ["sh"]`, `ENV A=1`; the names of instructions in upper or lower case
 * @throws BunkerError `invalid_change`
 */
export function changeConfiguration(
  parameters: ConfigurationParameters,
  changes: readonly string[],
): ConfigurationParameters {
  return changes.reduce((changed, change) => {
    const [, name = "", text = ""] = /^\s*(\S+)\s*(.*?)\s*$/s.exec(change) ?? [];
    const apply = Object.hasOwn(instructions, name.toUpperCase()) ? instructions[name.toUpperCase()] : undefined;
    if (apply === undefined) throw invalid(change, `it may be ${Object.keys(instructions).join(", ")}`);
    if (text === "") throw invalid(change, "there is nothing after the instruction");
    try {
      return apply(text, changed);
    } catch (cause) {
      throw cause instanceof InvalidText ? invalid(change, cause.message) : cause;
    }
  }, parameters);
}

/** What is wrong with the text of an instruction. */
class InvalidText extends Error {}

function invalid(change: string, reason: string): BunkerError {
  return new BunkerError({
    code: "invalid_change",
    operation: "apply the change",
    object: JSON.stringify(change),
    reason,
  });
}

function jsonWords(text: string): readonly string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = v.safeParse(wordList, value);
  return parsed.success ? parsed.output : undefined;
}

function command(text: string): readonly string[] {
  return jsonWords(text) ?? ["/bin/sh", "-c", text];
}

function ports(text: string): Record<string, object> {
  const words = splitWords(text).map((word) => (word.includes("/") ? word : `${word}/tcp`));
  const wrong = words.find((word) => !PORT.test(word));
  if (wrong !== undefined) throw new InvalidText(`${JSON.stringify(wrong)} is no port`);
  return asSet(words);
}

function asSet(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

function environmentPairs(text: string): readonly (readonly [string, string])[] {
  const single = /^([^\s=]+)\s+(.+)$/s.exec(text);
  return single === null ? pairs(splitWords(text)) : [[single[1] ?? "", single[2] ?? ""]];
}

function pairs(words: readonly string[]): readonly (readonly [string, string])[] {
  return words.map((word) => {
    const equals = word.indexOf("=");
    if (equals < 1) throw new InvalidText(`${JSON.stringify(word)} is not NAME=VALUE`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

function mergeEnvironment(present: readonly string[], added: readonly (readonly [string, string])[]): string[] {
  const merged = new Map(present.map((entry) => [entry.split("=", 1)[0] ?? "", entry]));
  for (const [name, value] of added) merged.set(name, `${name}=${value}`);
  return [...merged.values()];
}

/** Words between blanks; quotation marks keep blanks, and a backslash keeps the next character, but between `'`. */
function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quotation = "";
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "\\" && quotation !== "'" && at + 1 < text.length) {
      word = (word ?? "") + text.charAt(++at);
    } else if (quotation !== "") {
      if (character === quotation) quotation = "";
      else word += character;
    } else if (character === '"' || character === "'") {
      quotation = character;
      word ??= "";
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + character;
    }
  }
  if (quotation !== "") throw new InvalidText("a quotation mark is not closed");
  if (word !== undefined) words.push(word);
  return words;
}
