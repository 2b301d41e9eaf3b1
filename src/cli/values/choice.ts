import { nearestName } from "../../nearest-name.ts";
import { InvalidValue } from "../invalid-value.ts";

/**
 * Makes a parser for one of a few words.
 * @param words what is accepted, in the order of messages
 * @returns a function that throws InvalidValue, with the nearest word, for anything else
 */
export function oneOf<const Word extends string>(...words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    const nearest = nearestName(text, words);
    throw new InvalidValue(
      `expected ${words.join(", ").replace(/, ([^,]*)$/, " or $1")}${nearest === undefined ? "" : `; did you mean ${nearest}?`}`,
    );
  };
}
