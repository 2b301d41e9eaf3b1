/*
 * Answers about local names: RFC 1035, RFC 3596. A question becomes its own answer in place: the header says so, and
 * records follow whose names point at the question's. They live no longer than the moment (TTL 0), so that whoever asks
 * again sees who is there then. What is known of a name but not asked for is an answer without records, so that nobody
 * looks for it elsewhere.
 *
 * Over UDP an answer has as many records as fit into what the asker takes (512 bytes, or what it says by RFC 6891), and
 * says whether there are more: they are asked for over TCP then.
 */
import { type Address, isVersion4 } from "../../sys/internet-socket.ts";
import type { LocalNames } from "./local-names.ts";
import { CLASS_IN, HEADER_SIZE, LONGEST_LABEL, type Question, RecordType, readQuestion } from "./message.ts";

const RESPONSE_AND_AUTHORITATIVE = 0x84;
const RECURSION_DESIRED = 0x01;
const RECURSION_AVAILABLE = 0x80;
const NO_SUCH_NAME = 3;
/** The question's name, as records point at it. */
const POINTER_TO_QUESTION = 0xc000 | HEADER_SIZE;
/** The length of a record without its data, with a pointer as name. */
const RECORD_SIZE = 12;
/** Bytes of a datagram that everybody takes, and the most that we send and take (RFC 6891, section 6.2.5). */
const LEAST_LIMIT = 512;
const MOST_LIMIT = 4096;
/** Bytes of an answer over a connection. */
const STREAM_LIMIT = 65_535;
/** The record that says what one understands: a name, type, size, flags, and no data. */
const EXTENSION_SIZE = 11;
const TRUNCATED = 0x02;
/** The upper part of the code for a version of extensions that is not known (BADVERS). */
const BAD_VERSION = 1;
/** Bytes; behind a longer one there might be no room for an answer. */
export const LONGEST_LOCAL_QUESTION = 4_096;

/** The address whose name is asked for by `4.3.2.1.in-addr.arpa` or by 32 digits before `ip6.arpa`. */
function reverseAddress(name: string): Address | undefined {
  const [, octets] = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(name) ?? [];
  if (octets !== undefined) {
    const bytes = octets.split(".").slice(0, 4).map(Number);
    if (bytes.some((byte) => byte > 255)) return undefined;
    return [0, 0, 0xffff, bytes.reduceRight((value, byte) => (value << 8) | byte, 0)];
  }
  const [, nibbles] = /^((?:[\da-f]\.){32})ip6\.arpa$/.exec(name) ?? [];
  if (nibbles === undefined) return undefined;
  const digits = nibbles.replaceAll(".", "").split("").reverse().join("");
  const word = (index: number) => Number.parseInt(digits.slice(8 * index, 8 * index + 8), 16) | 0;
  return [word(0), word(1), word(2), word(3)];
}

/** What is known: addresses or a name, nothing for what is asked, or that there is no such name. */
type Finding = readonly Address[] | string | "no such name" | undefined;

function find({ name, type }: Question, names: LocalNames): { readonly finding: Finding; readonly isName: boolean } {
  const reversed = reverseAddress(name);
  if (reversed === undefined) return { finding: names.addressesOf(name), isName: false };
  const found = type === RecordType.PTR ? names.nameOf(reversed) : undefined;
  if (found !== undefined) return { finding: found, isName: true };
  return { finding: names.isLocal(reversed) ? "no such name" : undefined, isName: false };
}

/**
 * Answers a question about a local name, in place.
 * @param view with room for an answer behind the question: up to 4 KiB, or 64 KiB over a connection
 * @param transport that it came over
 * @returns the answer's length, or undefined for a question that others have to answer
 */
export function answerLocally(
  view: DataView,
  start: number,
  length: number,
  names: LocalNames,
  transport: "datagram" | "stream",
): number | undefined {
  const question = readQuestion(view, start, length);
  if (question === undefined) return undefined;
  const { finding, isName } = find(question, names);
  if (finding === undefined && names.asksOutside(question.name)) return undefined;
  const isUnknown = finding === undefined || (typeof finding === "string" && !isName);
  const { extension } = question;
  const isKnownVersion = extension === undefined || extension.version === 0;
  const records =
    isUnknown || !isKnownVersion
      ? []
      : typeof finding === "string"
        ? [nameBytes(finding)]
        : addressRecords(question, finding);
  const datagramLimit = Math.min(Math.max(extension?.size ?? 0, LEAST_LIMIT), MOST_LIMIT);
  const limit = transport === "stream" ? STREAM_LIMIT : datagramLimit;
  const end = start + limit - (extension === undefined ? 0 : EXTENSION_SIZE);
  let offset = question.end;
  let count = 0;
  for (const data of records) {
    if (offset + RECORD_SIZE + data.length > end) break;
    count++;
    view.setUint16(offset, POINTER_TO_QUESTION);
    view.setUint16(offset + 2, question.type);
    view.setUint16(offset + 4, CLASS_IN);
    view.setUint32(offset + 6, 0);
    view.setUint16(offset + 10, data.length);
    for (const [index, byte] of data.entries()) view.setUint8(offset + RECORD_SIZE + index, byte);
    offset += RECORD_SIZE + data.length;
  }
  const flags = (view.getUint8(start + 2) & RECURSION_DESIRED) | (count < records.length ? TRUNCATED : 0);
  view.setUint8(start + 2, RESPONSE_AND_AUTHORITATIVE | flags);
  view.setUint8(start + 3, RECURSION_AVAILABLE | (isUnknown && isKnownVersion ? NO_SUCH_NAME : 0));
  view.setUint16(start + 6, count);
  view.setUint16(start + 8, 0);
  view.setUint16(start + 10, extension === undefined ? 0 : 1);
  if (extension === undefined) return offset - start;
  view.setUint8(offset, 0);
  view.setUint16(offset + 1, RecordType.OPT);
  view.setUint16(offset + 3, MOST_LIMIT);
  view.setUint32(offset + 5, isKnownVersion ? 0 : BAD_VERSION << 24);
  view.setUint16(offset + 9, 0);
  return offset + EXTENSION_SIZE - start;
}

/** The addresses of the version that is asked for, beginning with any of them: each gets its share. */
function addressRecords({ type }: Question, addresses: readonly Address[]): Uint8Array[] {
  if (type !== RecordType.A && type !== RecordType.AAAA) return [];
  const fitting = addresses.filter((address) => isVersion4(address) === (type === RecordType.A));
  const first = Math.floor(Math.random() * fitting.length);
  return [...fitting.slice(first), ...fitting.slice(0, first)].map(addressBytes);
}

function addressBytes(address: Address): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of address.entries()) view.setInt32(4 * index, word);
  return isVersion4(address) ? bytes.subarray(12) : bytes;
}

function nameBytes(name: string): Uint8Array {
  const labels = name.split(".").map((label) => label.slice(0, LONGEST_LABEL));
  return Uint8Array.from(labels.flatMap((label) => [label.length, ...Buffer.from(label, "latin1")]).concat(0));
}
