/** Archives made byte by byte, so that they can be wrong in every way that tools refuse to produce. */

export interface Member {
  readonly name: string;
  /** Type flag; a file unless given. */
  readonly type?: string;
  readonly linkName?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly modified?: number;
  readonly content?: string | Buffer;
  /** Stated instead of the content's length. */
  readonly size?: number;
  readonly device?: readonly [major: number, minor: number];
  /** Records of a pax header before the entry. */
  readonly pax?: Readonly<Record<string, string>>;
  /** Changes the header block before its checksum is made. */
  readonly patch?: (block: Buffer) => void;
}

/** Names and pax values are one-byte strings. */
export function archive(members: readonly Member[]): Buffer {
  return Buffer.concat([...members.map(member), Buffer.alloc(1024)]);
}

/** One entry with what belongs to it. */
export function member(entry: Member): Buffer {
  const content = typeof entry.content === "object" ? entry.content : Buffer.from(entry.content ?? "", "latin1");
  const pax = entry.pax === undefined ? [] : [paxHeader("x", entry.pax)];
  return Buffer.concat([...pax, header(entry, entry.size ?? content.length), padded(content)]);
}

export function paxHeader(type: "x" | "g", records: Readonly<Record<string, string>>): Buffer {
  const content = Buffer.from(Object.entries(records).map(paxRecord).join(""), "latin1");
  return Buffer.concat([header({ name: "pax", type }, content.length), padded(content)]);
}

export function paxRecord([keyword, value]: readonly [string, string]): string {
  const rest = ` ${keyword}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

/** A long name in GNU's form: `L` for the name of the next entry, `K` for its link's target. */
export function gnuLongName(type: "L" | "K", name: string): Buffer {
  const content = Buffer.from(`${name}\0`, "latin1");
  return Buffer.concat([header({ name: "././@LongLink", type }, content.length), padded(content)]);
}

export function header(entry: Member, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(entry.name.slice(0, 100), 0, "latin1");
  const octal = (value: number, offset: number, length: number) =>
    block.write(value.toString(8).padStart(length - 1, "0"), offset, "latin1");
  octal(entry.mode ?? (entry.type === "5" ? 0o755 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(entry.modified ?? 1_000_000_000, 136, 12);
  block.write(entry.type ?? "0", 156, "latin1");
  block.write((entry.linkName ?? "").slice(0, 100), 157, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  octal(entry.device?.[0] ?? 0, 329, 8);
  octal(entry.device?.[1] ?? 0, 337, 8);
  entry.patch?.(block);
  writeChecksum(block);
  return block;
}

export function writeChecksum(block: Buffer): void {
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}

export function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}
