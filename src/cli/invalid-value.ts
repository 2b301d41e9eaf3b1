/**
 * A value that an option does not take. Its message says what is accepted or what is wrong, in words that fit behind
 * `invalid value "…" for --option: `. Value parsers throw it, because they do not know whose value they read;
 * `parseArguments` makes the user's error of it.
 */
export class InvalidValue extends Error {
  override readonly name = "InvalidValue";
}
