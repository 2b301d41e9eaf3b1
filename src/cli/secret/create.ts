import { closeSync, openSync, readSync } from "node:fs";
import { dataDirectory } from "../../engine/data-directory.ts";
import { createSecret, SECRET_LIMIT } from "../../engine/secrets/secret-data.ts";
import { openSecrets } from "../../engine/state/secrets.ts";
import { BunkerError, errnoOf } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { labelOption } from "../label-option.ts";
import { readNameOperand } from "../name-operand.ts";
import { flag, single } from "../option.ts";
import { print } from "../print.ts";
import { oneOf } from "../values/choice.ts";
import { parseSecretName } from "./secret-name.ts";

const STANDARD_INPUT = 0;

/** `bunker secret create`. */
export const create = defineCommand(
  {
    options: {
      driver: single({
        name: "driver",
        short: "d",
        valueName: "file",
        description: "What keeps it",
        parse: oneOf("file"),
        initial: "file",
        initialText: "file",
      }),
      fromEnvironment: flag({
        name: "env",
        description: "Take the variable of the environment that the operand names",
      }),
      ignore: flag({ name: "ignore", description: "No error, and no change, if there is one of that name" }),
      labels: labelOption,
      replace: flag({ name: "replace", description: "Give other data to a secret that is there" }),
    },
    required: ["NAME", "FILE|-"],
    failureStatus: 1,
  },
  ({ options: { fromEnvironment, ignore, labels, replace }, operands: [operand, source] }) => {
    if (ignore && replace) {
      const operation = "conflicting options: --ignore and --replace";
      throw new BunkerError({ code: "conflicting_options", operation, exitStatus: 1 });
    }
    const name = readNameOperand(operand, parseSecretName, {
      code: "invalid_secret_name",
      operation: "create secret",
    });
    const content = fromEnvironment ? variable(source) : readContent(source);
    const data = dataDirectory();
    using database = openSecrets(data);
    const request = { name, labels: Object.fromEntries(labels), content };
    print(createSecret(database, data, request, replace ? "replace" : ignore ? "keep" : "refuse"));
    return 0;
  },
);

function variable(name: string): Uint8Array {
  const value = process.env[name];
  if (value !== undefined) return Buffer.from(value);
  const reason = "the environment has no such variable";
  throw new BunkerError({ code: "secret_unreadable", operation: "read", object: name, reason, exitStatus: 1 });
}

/** What is in a file, or comes from standard input; of more than a secret may have, one byte more. */
function readContent(source: string): Uint8Array {
  const isInput = source === "-";
  try {
    const file = isInput ? STANDARD_INPUT : openSync(source, "r");
    try {
      return readUpTo(file, SECRET_LIMIT);
    } finally {
      if (!isInput) closeSync(file);
    }
  } catch (error) {
    throw new BunkerError({
      code: "secret_unreadable",
      operation: "read",
      object: isInput ? "standard input" : source,
      errno: errnoOf(error),
      exitStatus: 1,
    });
  }
}

function readUpTo(file: number, limit: number): Uint8Array {
  const bytes = Buffer.alloc(limit);
  let length = 0;
  while (length < limit) {
    const read = readSync(file, bytes, length, limit - length, null);
    if (read === 0) break;
    length += read;
  }
  return bytes.subarray(0, length);
}
