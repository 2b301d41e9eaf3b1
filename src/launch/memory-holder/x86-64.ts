import { Prctl } from "../../sys/prctl.ts";
import { Signal } from "../../sys/signal.ts";
import { type SystemCallName, systemCallNumber } from "../../sys/system-call-number.ts";
import { Condition, Register, X86Assembler } from "../assembler/x86-64.ts";
import { CLONE_ARGUMENTS_SIZE } from "./clone-arguments-size.ts";

const LAST_DESCRIPTOR = 0xffff_ffff;
const { rax, rdi, rsi, rdx, r9, r10 } = Register;
const parent = r9;

/** Emits the code for x86-64. System calls destroy no register but rax, rcx and r11. */
export function emitX86MemoryHolder(): Uint8Array {
  const a = new X86Assembler();
  const call = (name: SystemCallName, first?: number, second?: number, third?: number) => {
    if (first !== undefined) a.movImmediate(rdi, first);
    if (second !== undefined) a.movImmediate(rsi, second);
    if (third !== undefined) a.movImmediate(rdx, third);
    a.movImmediate(rax, systemCallNumber(name, "x86-64"));
    a.syscall();
  };
  const child = a.label();
  const end = a.label();
  call("getpid");
  a.mov(parent, rax);
  call("clone3");
  a.test(rax, rax);
  a.jcc(Condition.equal, child);
  a.ret();
  a.place(child);
  a.addImmediate8(rdi, CLONE_ARGUMENTS_SIZE);
  call("chdir");
  call("close_range", 0, LAST_DESCRIPTOR, 0);
  call("prctl", Prctl.PR_SET_PDEATHSIG, Signal.SIGKILL);
  call("getppid");
  a.cmp(64, rax, parent);
  a.jcc(Condition.notEqual, end);
  // The third argument is still 0, for no end to the wait; so is the fourth, for the signals as they are.
  a.mov(r10, rdx);
  call("ppoll", 0, 0);
  a.place(end);
  call("exit_group", 0);
  return a.finish();
}
