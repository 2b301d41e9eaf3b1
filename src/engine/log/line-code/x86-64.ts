/*
 * What makes records of lines, for x86-64: a function of the address of the structure in line-work.ts.
 *
 *   rdi            the structure
 *   rsi r8 r10     the next byte, the end of all bytes, the end of what may be one line
 *   rdx            where the next byte of the record goes
 *   r9             the table; the rows in front of it
 *   rax rcx        a byte and what becomes of it; whatever else
 *   xmm0 to xmm3   16 bytes, and which of them are written as they are
 */
import { Condition, Register, X86Assembler } from "../../../launch/assembler/x86-64.ts";
import { ByteKind, Digit, LONGEST_LINE, ROW_SIZE, ROWS_SIZE, WorkField } from "./line-work.ts";

const { rax, rcx, rdx, rsi, rdi, r8, r9, r10 } = Register;

/**
 * Emits the function for x86-64.
 * @param betweenLength how many bytes stand between the texts of two lines; they are copied in eights
 */
export function emitX86LineCode(betweenLength: number): Uint8Array {
  const a = new X86Assembler();
  const field = (name: keyof typeof WorkField) => ({ base: rdi, displacement: WorkField[name] });
  const beginLine = a.label();
  const bounded = a.label();
  const next = a.label();
  const single = a.label();
  const other = a.label();
  const newline = a.label();
  const count = a.label();
  const increment = a.label();
  const done = a.label();

  a.load(rsi, field("source"));
  a.load(r8, field("sourceEnd"));
  a.load(rdx, field("destination"));
  a.load(r9, field("table"));

  a.place(beginLine);
  a.store(64, field("source"), rsi);
  a.store(64, field("destination"), rdx);
  a.load(rcx, field("destinationLimit"));
  a.cmp(64, rcx, rdx);
  a.jccLong(Condition.below, done);
  a.movImmediate(rcx, LONGEST_LINE);
  a.mov(r10, rsi);
  a.add(r10, rcx);
  a.cmp(64, r10, r8);
  a.jcc(Condition.belowOrEqual, bounded);
  a.mov(r10, r8);
  a.place(bounded);

  a.place(next);
  a.mov(rax, rsi);
  a.addImmediate8(rax, ROW_SIZE);
  a.cmp(64, r10, rax);
  a.jcc(Condition.below, single);
  a.movdquLoad(0, { base: rsi });
  // All of them, of which those that count are the first.
  a.movdquStore({ base: rdx }, 0);
  a.movdqa(1, 0);
  a.pcmpgtb(1, { base: r9, displacement: -ROWS_SIZE });
  a.movdqa(2, 0);
  a.pcmpeqb(2, { base: r9, displacement: ROW_SIZE - ROWS_SIZE });
  for (let displacement = 2 * ROW_SIZE - ROWS_SIZE; displacement < 0; displacement += ROW_SIZE) {
    a.movdqa(3, 0);
    a.pcmpeqb(3, { base: r9, displacement });
    a.por(2, 3);
  }
  a.pandn(2, 1);
  a.pmovmskb(rax, 2);
  // The lowest bit that is not set; the 17th if 16 are.
  a.addImmediate8(rax, 1);
  a.bsf32(rax, rax);
  a.add(rsi, rax);
  a.add(rdx, rax);
  a.cmp32Immediate8(rax, ROW_SIZE);
  a.jcc(Condition.equal, next);

  a.place(single);
  a.cmp(64, rsi, r10);
  a.jccLong(Condition.equal, done);
  a.movzx8(rax, { base: rsi });
  a.addImmediate8(rsi, 1);
  a.load(rcx, { base: r9, index: rax, scale: 8 });
  a.test(rcx, rcx);
  a.jcc(Condition.notEqual, other);
  a.store8({ base: rdx }, rax);
  a.addImmediate8(rdx, 1);
  a.jmpLong(next);

  a.place(other);
  a.mov(rax, rcx);
  a.shr(rax, 56);
  a.cmpImmediate32(rax, ByteKind.newline);
  a.jcc(Condition.equal, newline);
  a.cmpImmediate32(rax, ByteKind.stop);
  a.jccLong(Condition.equal, done);
  a.store(64, { base: rdx }, rcx);
  a.add(rdx, rax);
  a.jmpLong(next);

  a.place(newline);
  a.load(rcx, field("between"));
  for (let offset = 0; offset < betweenLength; offset += 8) {
    a.load(rax, { base: rcx, displacement: offset });
    a.store(64, { base: rdx, displacement: offset }, rax);
  }
  a.addImmediate8(rdx, betweenLength);
  a.load(rcx, field("lastDigit"));
  a.place(count);
  a.movzx8(rax, { base: rcx });
  a.cmp32Immediate8(rax, Digit.nine);
  a.jcc(Condition.below, increment);
  a.movImmediate(rax, Digit.zero);
  a.store8({ base: rcx }, rax);
  a.addImmediate8(rcx, -1);
  a.load(rax, field("firstDigit"));
  a.cmp(64, rax, rcx);
  a.jcc(Condition.belowOrEqual, count);
  a.jmpLong(beginLine);
  a.place(increment);
  a.addImmediate8(rax, 1);
  a.store8({ base: rcx }, rax);
  a.jmpLong(beginLine);

  a.place(done);
  a.ret();
  return a.finish();
}
