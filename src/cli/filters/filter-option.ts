import { InvalidValue } from "../invalid-value.ts";
import { list, type Option } from "../option.ts";
import { oneOf } from "../values/choice.ts";
import { invalidFilter } from "./invalid-filter.ts";

/** One `--filter KEY=VALUE`. */
interface Filter<Key extends string> {
  readonly key: Key;
  readonly value: string;
}

/** The values given for a key, in their order; none for a key that was not given. */
export type Filters<Key extends string = string> = (key: Key) => readonly string[];

/**
 * `--filter KEY=VALUE`, again and again. Of one key any value has to fit, of several keys all, as in Docker. What is no
 * filter at all is a mistake in how the command was called; a key that it does not know makes it fail, like a value. An
 * empty text, of a script's empty variable, filters nothing.
 * @param keys what a command can filter by, in the order of messages
 */
export function filterOption<const Key extends string>(
  keys: readonly Key[],
  short?: string,
): Option<Filter<Key> | undefined, Filters> {
  return optionOf(short, `Take only what fits; keys are ${keys.join(", ")}`, oneOf(...keys));
}

/** The same, and `KEY!=VALUE` takes what does not fit; its values are found by the key with an exclamation mark. */
export function negatableFilterOption(
  keys: readonly string[],
  short: string,
): Option<Filter<string> | undefined, Filters> {
  const parseKey = oneOf(...keys);
  const description = `Take only what fits, or with KEY!=VALUE does not; keys are ${keys.join(", ")}`;
  return optionOf(short, description, (text) =>
    text.endsWith("!") ? `${parseKey(text.slice(0, -1).trim())}!` : parseKey(text),
  );
}

function optionOf<Key extends string>(
  short: string | undefined,
  description: string,
  parseKey: (text: string) => Key,
): Option<Filter<Key> | undefined, Filters> {
  const option = list({
    name: "filter",
    ...(short === undefined ? {} : { short }),
    valueName: "KEY=VALUE",
    description,
    parse: (text): Filter<Key> | undefined => {
      if (text === "") return undefined;
      const equals = text.indexOf("=");
      if (equals < 0) throw new InvalidValue("expected KEY=VALUE");
      try {
        return { key: parseKey(text.slice(0, equals).trim().toLowerCase()), value: text.slice(equals + 1).trim() };
      } catch (error) {
        if (error instanceof InvalidValue) throw invalidFilter(text, error.message);
        throw error;
      }
    },
  });
  return {
    ...option,
    // A loop, because methods of arrays that are JavaScript inside the engine cost 0.1 ms at their first call.
    collect: (given) => (key) => {
      const values: string[] = [];
      for (const filter of given) if (filter?.key === key) values.push(filter.value);
      return values;
    },
  };
}
