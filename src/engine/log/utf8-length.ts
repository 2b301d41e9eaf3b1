/**
 * The length of the character of UTF-8 that begins at `index` with a byte from 0x80 on, or 0 if none does: what is cut
 * off, overlong, a surrogate or beyond U+10FFFF is none. The Unicode Standard, table 3-7
 * @param end where the text ends
 */
export function utf8Length(bytes: Buffer, index: number, end: number): number {
  const lead = bytes[index] as number;
  const length = lead < 0xc2 || lead > 0xf4 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (length === 0 || index + length > end) return 0;
  const second = bytes[index + 1] as number;
  const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let place = index + 2; place < index + length; place++) if (((bytes[place] as number) & 0xc0) !== 0x80) return 0;
  return length;
}
