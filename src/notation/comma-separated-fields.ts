/** What is wrong with the quotation marks of a text that should be fields. */
export class MalformedFields extends Error {}

/**
 * Splits a value into its fields as Docker's `--mount` has them: one record of comma-separated values in the form of
 * RFC 4180, where a field in quotation marks may hold commas, and `""` in it stands for one mark.
 * @throws MalformedFields
 */
export function parseFields(text: string): readonly string[] {
  const fields: string[] = [];
  let position = 0;
  for (;;) {
    let field = "";
    if (text[position] === '"') {
      const closing = /"((?:[^"]|"")*)"(?=,|$)/y;
      closing.lastIndex = position;
      const quoted = closing.exec(text);
      if (quoted === null) throw new MalformedFields('a field that begins with " must end with "');
      field = (quoted[1] ?? "").replaceAll('""', '"');
      position = closing.lastIndex;
    } else {
      const comma = text.indexOf(",", position);
      const end = comma < 0 ? text.length : comma;
      field = text.slice(position, end);
      if (field.includes('"')) throw new MalformedFields('quotation marks must enclose a whole field: "key=value"');
      position = end;
    }
    fields.push(field);
    if (position >= text.length) return fields;
    position++;
  }
}
