/* What stands around the texts of a log; json-records.ts. */
export const HEAD = '{"log":"';
export const ESCAPED_NEWLINE = "\\n";
const TAIL = '","stream":"stdout","time":"2026-01-31T12:00:00.123000000Z"}\n';

/** What is between the texts of two lines, with any stream and time. */
export const BETWEEN = `${ESCAPED_NEWLINE}${TAIL}${HEAD}`;
