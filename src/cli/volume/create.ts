import { dataDirectory } from "../../engine/data-directory.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { lookUpVolume } from "../../engine/state/volumes.ts";
import { anonymousName, takeVolume } from "../../engine/volumes/create-volume.ts";
import { volumeKind } from "../../engine/volumes/volume-driver.ts";
import { BunkerError } from "../../sys/error.ts";
import { defineCommand } from "../command.ts";
import { InvalidValue } from "../invalid-value.ts";
import { labelOption } from "../label-option.ts";
import { flag, list, single } from "../option.ts";
import { print } from "../print.ts";
import { oneOf } from "../values/choice.ts";
import { integerBetween } from "../values/numbers.ts";
import { tmpfsOptions } from "../values/tmpfs-option.ts";

const HIGHEST_ID = 2 ** 32 - 2;

/** `bunker volume create`. */
export const create = defineCommand(
  {
    options: {
      driver: single({
        name: "driver",
        short: "d",
        valueName: "local",
        description: "What keeps it",
        parse: oneOf("local"),
        initial: "local",
        initialText: "local",
      }),
      labels: labelOption,
      driverOptions: list({
        name: "opt",
        short: "o",
        valueName: "KEY=VALUE",
        description: "type, device and o, with the meaning they have for mount(8)",
        parse: parseDriverOption,
      }),
      ignore: flag({ name: "ignore", description: "No error if it is there already, whatever its options" }),
      uid: single({
        name: "uid",
        valueName: "UID",
        description: "The user that it belongs to; the same as -o o=uid=UID",
        parse: integerBetween(0, HIGHEST_ID),
      }),
      gid: single({
        name: "gid",
        valueName: "GID",
        description: "The group that it belongs to; the same as -o o=gid=GID",
        parse: integerBetween(0, HIGHEST_ID),
      }),
      name: single({ name: "name", valueName: "NAME", description: "The same as NAME", parse: (text) => text }),
    },
    required: [],
    optional: "[NAME]",
    optionalLimit: 1,
    failureStatus: 1,
  },
  ({ options: { driverOptions, gid, ignore, labels, name, uid }, operands: [operand = name] }) => {
    const options = withOwner(Object.fromEntries(driverOptions), { uid, gid });
    const kind = volumeKind(options);
    if (kind.kind === "tmpfs") checkTmpfsOptions(kind.options);
    const data = dataDirectory();
    using database = openContainers(data);
    if (ignore && operand !== undefined && lookUpVolume(database, operand) !== undefined) {
      print(operand);
      return 0;
    }
    // As in Docker one that is made by this command and without a name is anonymous, too.
    const request = {
      name: operand ?? anonymousName(),
      isAnonymous: operand === undefined,
      labels: Object.fromEntries(labels),
      options,
    };
    print(takeVolume(database, data, request, undefined).name);
    return 0;
  },
);

/** The options of a volume that belongs to somebody. */
function withOwner(
  options: Readonly<Record<string, string>>,
  ids: { readonly uid: number | undefined; readonly gid: number | undefined },
): Readonly<Record<string, string>> {
  const words = Object.entries(ids).flatMap(([name, id]) => (id === undefined ? [] : [`${name}=${id}`]));
  return words.length === 0 ? options : { ...options, o: [options["o"] ?? [], words].flat().join(",") };
}

function parseDriverOption(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  if (equals <= 0) throw new InvalidValue("expected KEY=VALUE");
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** A word that no tmpfs knows is better told now than when it is mounted. */
function checkTmpfsOptions(words: readonly string[]): void {
  try {
    tmpfsOptions(words);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    const object = `o=${words.join(",")}`;
    throw new BunkerError({
      code: "invalid_volume_option",
      operation: "use the volume option",
      object,
      reason: error.message,
    });
  }
}
