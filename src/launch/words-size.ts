/** For the pointer to a word, the NUL at its end, and its alignment. */
const FOR_EACH_WORD = 32;
/** The most bytes of UTF-8 that a unit of JavaScript's texts comes to; counting them would take a Buffer. */
const FOR_EACH_UNIT = 3;

/** How many bytes of a launch program's arena words take at most, such as arguments and an environment. */
export function wordsSize(words: readonly string[]): number {
  let size = 0;
  for (const word of words) size += FOR_EACH_UNIT * word.length + FOR_EACH_WORD;
  return size;
}
