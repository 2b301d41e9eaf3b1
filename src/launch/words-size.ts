/** For the pointer to a word, the NUL at its end, and its alignment. */
const FOR_EACH_WORD = 32;

/** How many bytes of a launch program's arena words take, such as arguments and an environment. */
export function wordsSize(words: readonly string[]): number {
  return words.reduce((bytes, word) => bytes + Buffer.byteLength(word) + FOR_EACH_WORD, 0);
}
