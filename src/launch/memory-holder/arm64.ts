import { Prctl } from "../../sys/prctl.ts";
import { Signal } from "../../sys/signal.ts";
import { type SystemCallName, systemCallNumber } from "../../sys/system-call-number.ts";
import { Arm64Assembler, Condition } from "../assembler/arm64.ts";
import { CLONE_ARGUMENTS_SIZE } from "./clone-arguments-size.ts";

const LAST_DESCRIPTOR = 0xffff_ffff;
const number = 8;
const cloneArguments = 9;
const parent = 10;

/** Emits the code for arm64, the counterpart of x86-64.ts. System calls destroy no register but x0. */
export function emitArm64MemoryHolder(): Uint8Array {
  const a = new Arm64Assembler();
  const call = (name: SystemCallName, ...words: readonly number[]) => {
    for (const [register, word] of words.entries()) a.movImmediate(register, word);
    a.movImmediate(number, systemCallNumber(name, "arm64"));
    a.svc();
  };
  const child = a.label();
  const end = a.label();
  a.mov(cloneArguments, 0);
  call("getpid");
  a.mov(parent, 0);
  a.mov(0, cloneArguments);
  call("clone3");
  a.cbz(0, child);
  a.ret();
  a.place(child);
  a.addImmediate(0, cloneArguments, CLONE_ARGUMENTS_SIZE);
  call("chdir");
  call("close_range", 0, LAST_DESCRIPTOR, 0);
  call("prctl", Prctl.PR_SET_PDEATHSIG, Signal.SIGKILL);
  call("getppid");
  a.cmp(0, parent);
  a.bCondition(Condition.notEqual, end);
  call("ppoll", 0, 0, 0, 0);
  a.place(end);
  call("exit_group", 0);
  return a.finish();
}
