/** Writes a text so that a POSIX shell reads it as one word; as it is where that is the same. */
export function shellWord(text: string): string {
  return /^[\w/.:=@+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
