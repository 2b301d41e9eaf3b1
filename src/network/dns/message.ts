/* Reading of DNS messages, as far as the stack looks into them: RFC 1035 section 4, RFC 3596. */
import type { Address } from "../../sys/internet-socket.ts";

export const HEADER_SIZE = 12;
export const LONGEST_LABEL = 63;
/** Types of records. */
export const RecordType = { A: 1, PTR: 12, AAAA: 28, OPT: 41 } as const;
export const CLASS_IN = 1;

const LONGEST_NAME = 255;
const POINTER = 0xc0;

export interface Question {
  /** In lower case, without a dot at its end. */
  readonly name: string;
  readonly type: number;
  /** One past its last byte. */
  readonly end: number;
  /** What the asker says of the datagrams that it takes: RFC 6891. */
  readonly extension: { readonly size: number; readonly version: number } | undefined;
}

/** Reads a message with one ordinary question; undefined for any other. */
export function readQuestion(view: DataView, start: number, length: number): Question | undefined {
  const isQuery = (view.getUint8(start + 2) & 0xf8) === 0;
  const question = readFirstQuestion(view, start, length);
  if (question === undefined || !isQuery || view.getUint32(start + 6) !== 0) return undefined;
  return { ...question, extension: readExtension(view, question.end, start + length, view.getUint16(start + 10)) };
}

/** Looks for the record of RFC 6891 among the last ones of a message. */
function readExtension(view: DataView, start: number, end: number, count: number): Question["extension"] {
  let offset = start;
  for (let index = 0; index < count; index++) {
    const header = skipName(view, offset, end);
    if (header === undefined || header + 10 > end) return undefined;
    const size = view.getUint16(header + 2);
    if (view.getUint16(header) === RecordType.OPT) return { size, version: view.getUint8(header + 5) };
    offset = header + 10 + view.getUint16(header + 8);
  }
  return undefined;
}

function readFirstQuestion(view: DataView, start: number, length: number): Omit<Question, "extension"> | undefined {
  const end = start + length;
  if (length < HEADER_SIZE || view.getUint16(start + 4) !== 1) return undefined;
  const labels: string[] = [];
  let offset = start + HEADER_SIZE;
  for (;;) {
    if (offset >= end) return undefined;
    const size = view.getUint8(offset++);
    if (size === 0) break;
    if (size > LONGEST_LABEL || offset + size > end || offset - start > HEADER_SIZE + LONGEST_NAME) return undefined;
    labels.push(String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + offset, size)).toLowerCase());
    offset += size;
  }
  if (offset + 4 > end || view.getUint16(offset + 2) !== CLASS_IN) return undefined;
  return { name: labels.join("."), type: view.getUint16(offset), end: offset + 4 };
}

/** An answer's question, and the addresses in it, whatever other names lead to them; undefined for what is no answer. */
export function readAnswer(
  view: DataView,
  start: number,
  length: number,
): { readonly name: string; readonly addresses: readonly Address[] } | undefined {
  const end = start + length;
  const question = readFirstQuestion(view, start, length);
  if (question === undefined) return undefined;
  const addresses: Address[] = [];
  let offset = question.end;
  for (let count = view.getUint16(start + 6); count > 0; count--) {
    const header = skipName(view, offset, end);
    if (header === undefined || header + 10 > end) break;
    const size = view.getUint16(header + 8);
    const data = header + 10;
    if (data + size > end) break;
    const type = view.getUint16(header);
    const isInternet = view.getUint16(header + 2) === CLASS_IN;
    if (isInternet && type === RecordType.A && size === 4) addresses.push([0, 0, 0xffff, view.getInt32(data)]);
    if (isInternet && type === RecordType.AAAA && size === 16) {
      addresses.push([view.getInt32(data), view.getInt32(data + 4), view.getInt32(data + 8), view.getInt32(data + 12)]);
    }
    offset = data + size;
  }
  return { name: question.name, addresses };
}

/** Where a name ends; undefined for one that does not. */
function skipName(view: DataView, start: number, end: number): number | undefined {
  for (let offset = start; offset < end; ) {
    const size = view.getUint8(offset);
    if (size === 0) return offset + 1;
    if ((size & POINTER) === POINTER) return offset + 2;
    offset += 1 + size;
  }
  return undefined;
}
