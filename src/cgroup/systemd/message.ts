/*
 * D-Bus messages, as far as a conversation with systemd needs them: little endian, and on the way in only the values of
 * basic types. The D-Bus specification, "Marshaling" and "Message Format".
 *
 * A value's type comes from a signature: s o g (strings), u i b (32 bits), t x (64 bits), a... (lists), (...) (structures) and v. Every
 * value is aligned to its own size, lists to that of their length, structures to 8, counted from the message's begin.
 */

/** A value with a type of its own, for `v`. */
interface Variant {
  readonly signature: string;
  readonly value: Value;
}

export type Value = string | number | boolean | Variant | readonly Value[];

export const MessageType = { call: 1, reply: 2, error: 3, signal: 4 } as const;

const HeaderField = { path: 1, interface: 2, member: 3, errorName: 4, replySerial: 5, destination: 6, signature: 8 };
const LITTLE_ENDIAN = "l".charCodeAt(0);
const PROTOCOL_VERSION = 1;
/** The part of the header whose length does not depend on anything, with the length of the rest at its end. */
const FIXED_HEADER_SIZE = 16;
const LARGEST_MESSAGE = 2 ** 27;

/** A method that is called. */
export interface Call {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** Of the body, and its values. */
  readonly signature?: string;
  readonly body?: readonly Value[];
}

/** A message that came in. */
export interface Message {
  readonly type: number;
  readonly member: string | undefined;
  readonly errorName: string | undefined;
  readonly replySerial: number | undefined;
  /** Its arguments up to the first one that is not of a basic type. */
  readonly body: readonly (string | number)[];
}

class Writer {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }

  align(size: number): void {
    while (this.#bytes.length % size !== 0) this.#bytes.push(0);
  }

  byte(value: number): void {
    this.#bytes.push(value & 0xff);
  }

  unsigned32(value: number): void {
    this.align(4);
    for (let shift = 0; shift < 32; shift += 8) this.byte(value >>> shift);
  }

  integer64(value: number): void {
    this.align(8);
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    this.#bytes.push(...bytes);
  }

  text(value: string, lengthSize: 1 | 4): void {
    const bytes = Buffer.from(value, "utf8");
    if (lengthSize === 4) this.unsigned32(bytes.length);
    else this.byte(bytes.length);
    this.#bytes.push(...bytes, 0);
  }

  list(elementSignature: string, values: readonly Value[]): void {
    this.unsigned32(0);
    const lengthAt = this.length - 4;
    this.align(alignmentOf(elementSignature));
    const start = this.length;
    for (const value of values) this.value(elementSignature, value);
    const length = this.length - start;
    for (let index = 0; index < 4; index++) this.#bytes[lengthAt + index] = (length >>> (8 * index)) & 0xff;
  }

  value(signature: string, value: Value): void {
    const kind = signature[0];
    if (kind === "a" && Array.isArray(value)) this.list(signature.slice(1), value);
    else if (kind === "(" && Array.isArray(value)) this.structure(signature.slice(1, -1), value);
    else if ((kind === "s" || kind === "o") && typeof value === "string") this.text(value, 4);
    else if (kind === "g" && typeof value === "string") this.text(value, 1);
    else if ((kind === "u" || kind === "i") && typeof value === "number") this.unsigned32(value);
    else if ((kind === "t" || kind === "x") && typeof value === "number") this.integer64(value);
    else if (kind === "b" && typeof value === "boolean") this.unsigned32(value ? 1 : 0);
    else if (kind === "v" && typeof value === "object" && "signature" in value) {
      this.text(value.signature, 1);
      this.value(value.signature, value.value);
    } else throw new Error(`a D-Bus value does not have the type ${signature}`);
  }

  structure(signature: string, values: readonly Value[]): void {
    this.align(8);
    for (const [index, member] of splitSignature(signature).entries()) this.value(member, values[index] ?? "");
  }

  finish(): Buffer {
    return Buffer.from(this.#bytes);
  }
}

function alignmentOf(signature: string): number {
  const kind = signature[0] ?? "";
  if ("(xtd{".includes(kind)) return 8;
  return "gvy".includes(kind) ? 1 : 4;
}

/** The complete types that a signature consists of. */
function splitSignature(signature: string): string[] {
  const types: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < signature.length; index++) {
    const kind = signature[index];
    if (kind === "(") depth++;
    if (kind === ")") depth--;
    if (depth > 0 || kind === "a") continue;
    types.push(signature.slice(start, index + 1));
    start = index + 1;
  }
  return types;
}

/**
 * The bytes of a method call.
 * @param serial a number above 0 that no earlier message of the connection had
 */
export function formatCall(call: Call, serial: number): Buffer {
  const { signature = "", body = [] } = call;
  const content = new Writer();
  for (const [index, type] of splitSignature(signature).entries()) content.value(type, body[index] ?? "");
  const header = new Writer();
  for (const byte of [LITTLE_ENDIAN, MessageType.call, 0, PROTOCOL_VERSION]) header.byte(byte);
  header.unsigned32(content.length);
  header.unsigned32(serial);
  const fields: [number, string, string][] = [
    [HeaderField.path, "o", call.path],
    [HeaderField.destination, "s", call.destination],
    [HeaderField.interface, "s", call.interface],
    [HeaderField.member, "s", call.member],
    ...(signature === "" ? [] : [[HeaderField.signature, "g", signature] satisfies [number, string, string]]),
  ];
  const fieldWriter = new Writer();
  for (const [code, type, value] of fields) {
    fieldWriter.align(8);
    fieldWriter.byte(code);
    fieldWriter.value("v", { signature: type, value });
  }
  header.unsigned32(fieldWriter.length);
  const padding = Buffer.alloc(-(FIXED_HEADER_SIZE + fieldWriter.length) & 7);
  return Buffer.concat([header.finish(), fieldWriter.finish(), padding, content.finish()]);
}

/**
 * How long the message is that some bytes begin with.
 * @returns undefined when that cannot be told yet
 * @throws Error when this is no message of a peer that speaks our byte order
 */
export function messageLength(bytes: Buffer): number | undefined {
  if (bytes.length < FIXED_HEADER_SIZE) return undefined;
  if (bytes[0] !== LITTLE_ENDIAN) throw new Error("a D-Bus message in another byte order");
  const fields = bytes.readUInt32LE(12);
  const length = FIXED_HEADER_SIZE + ((fields + 7) & ~7) + bytes.readUInt32LE(4);
  if (length > LARGEST_MESSAGE) throw new Error("a D-Bus message that is too long");
  return length;
}

/** Reads one whole message. */
export function parseMessage(bytes: Buffer): Message {
  let offset = FIXED_HEADER_SIZE;
  const align = (size: number) => {
    offset = (offset + size - 1) & -size;
  };
  const basic = (type: string): string | number | undefined => {
    if (type === "u" || type === "b" || type === "i") {
      align(4);
      offset += 4;
      return bytes.readUInt32LE(offset - 4);
    }
    if (type !== "s" && type !== "o" && type !== "g") return undefined;
    if (type !== "g") align(4);
    const size = type === "g" ? bytes.readUInt8(offset) : bytes.readUInt32LE(offset);
    offset += type === "g" ? 1 : 4;
    const text = bytes.toString("utf8", offset, offset + size);
    offset += size + 1;
    return text;
  };
  const fields = new Map<number, string | number>();
  const end = FIXED_HEADER_SIZE + bytes.readUInt32LE(12);
  while (offset < end) {
    align(8);
    const code = bytes.readUInt8(offset++);
    const value = basic(String(basic("g")));
    if (value === undefined) break;
    fields.set(code, value);
  }
  offset = (end + 7) & ~7;
  const body: (string | number)[] = [];
  for (const type of splitSignature(String(fields.get(HeaderField.signature) ?? ""))) {
    const value = basic(type);
    if (value === undefined) break;
    body.push(value);
  }
  const text = (code: number) => {
    const value = fields.get(code);
    return typeof value === "string" ? value : undefined;
  };
  const replySerial = fields.get(HeaderField.replySerial);
  return {
    type: bytes.readUInt8(1),
    member: text(HeaderField.member),
    errorName: text(HeaderField.errorName),
    replySerial: typeof replySerial === "number" ? replySerial : undefined,
    body,
  };
}
