/*
 * The program file between a process and its confined self: it has one thread, so it can join a user namespace, and what
 * it gives up no thread of what it executes has. It knows its task by numbers alone, and finds the words and the
 * environment for the next program where the kernel has put its own.
 */
import { type Label, OperationTable } from "../../launch/operation-table.ts";
import { encodeProgramFile, VARIABLES_ADDRESS, VARIABLES_BUFFER_ADDRESS } from "../../launch/program-file.ts";
import { hostArchitecture } from "../../sys/architecture.ts";
import { Errno } from "../../sys/errno.ts";
import { AT_EMPTY_PATH } from "../../sys/open.ts";
import { Prctl } from "../../sys/prctl.ts";
import { sealedMemoryFile } from "../../sys/sealed-memory-file.ts";
import { type Execution, execute, ownExecutable } from "./execute.ts";

const F_SETFD = 2;
const FD_CLOEXEC = 1;
const STANDARD_ERROR = 2;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
/** Capabilities are numbered in 64 bits; capabilities(7). */
const CAPABILITY_LIMIT = 64;
const MESSAGE = "cannot enter the sandbox\n";

/** A program and what it is confined to. */
export interface ConfinedProgram extends Execution {
  /** setns(2): a pidfd, and bits of `CloneFlag`. */
  readonly namespaces: { readonly descriptor: number; readonly types: number };
  /** The number of the one capability that it keeps, if any. */
  readonly capability: number | undefined;
}

/**
 * Executes this process's executable again, confined for good.
 * @returns the errno with which the first execution failed; what fails later ends the process with a message and status 1
 */
export function executeConfined({ descriptors, ...program }: ConfinedProgram): number {
  using executable = ownExecutable();
  using file = sealedMemoryFile("sandbox", confinedProgramFile(executable.number, program));
  return execute(file, {
    ...program,
    descriptors: [...descriptors, program.namespaces.descriptor, executable.number],
  });
}

function confinedProgramFile(
  executable: number,
  { namespaces, capability }: Pick<ConfinedProgram, "namespaces" | "capability">,
): Uint8Array {
  const table = new OperationTable(VARIABLES_ADDRESS);
  const what = { operation: "enter the sandbox" };
  const stack = table.slot("initial stack");
  const argv = table.slot("argv");
  const envp = table.slot("envp");
  const isRefused = table.label("refused");
  const orRefused = { ignore: "any", onIgnored: isRefused } as const;
  table.load64(envp, stack);
  table.add(argv, stack, 8);
  table.add(envp, argv, envp, 3);
  table.add(envp, envp, 8);

  for (const descriptor of [executable, namespaces.descriptor]) {
    table.call("fcntl", [descriptor, F_SETFD, FD_CLOEXEC], what, orRefused);
  }
  table.call("setns", [namespaces.descriptor, namespaces.types], what, orRefused);
  emitLossOfCapabilities(table, capability, isRefused);
  table.call("prctl", [Prctl.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0], what, orRefused);
  // The path is empty: no byte of this memory has been written to but those of the structure before.
  const empty = VARIABLES_BUFFER_ADDRESS + CAPABILITY_STRUCTURES_SIZE;
  table.call("execveat", [executable, empty, argv, envp, AT_EMPTY_PATH], what, orRefused);

  table.place(isRefused);
  emitMessage(table, MESSAGE, VARIABLES_BUFFER_ADDRESS);
  table.call("write", [STANDARD_ERROR, VARIABLES_BUFFER_ADDRESS, MESSAGE.length], what, { ignore: "any" });
  table.call("exit_group", [1], what);
  return encodeProgramFile(hostArchitecture(), table, stack, "compact");
}

/** `struct __user_cap_header_struct` and two `struct __user_cap_data_struct`; capset(2). */
const CAPABILITY_HEADER_SIZE = 8;
const CAPABILITY_STRUCTURES_SIZE = CAPABILITY_HEADER_SIZE + 24;

/** Gives up all capabilities but one, also those that exec would give to user 0; capabilities(7). */
function emitLossOfCapabilities(table: OperationTable, kept: number | undefined, isRefused: Label): void {
  const what = { operation: "give up capabilities" };
  const capability = table.slot("capability");
  const next = table.label("next capability");
  const done = table.label("done with it");
  table.set(capability, 0);
  table.place(next);
  if (kept !== undefined) table.branch(capability, "equal", kept, done);
  // EINVAL: no capability of this kernel has the number. EPERM: only CAP_SETPCAP may; without new privileges, exec gives
  // nothing that is not permitted before.
  table.call("prctl", [Prctl.PR_CAPBSET_DROP, capability, 0, 0, 0], what, { ignore: [Errno.EINVAL, Errno.EPERM] });
  table.place(done);
  table.add(capability, capability, 1);
  table.branch(capability, "less", CAPABILITY_LIMIT, next);
  const header = VARIABLES_BUFFER_ADDRESS;
  const data = header + CAPABILITY_HEADER_SIZE;
  const bit = kept === undefined ? 0 : 1 << kept;
  table.store32(LINUX_CAPABILITY_VERSION_3, header);
  // Effective and permitted; nothing is inheritable, and therefore nothing ambient.
  table.store32(bit, data);
  table.store32(bit, data + 4);
  table.call("capset", [header, data], what, { ignore: "any", onIgnored: isRefused });
}

function emitMessage(table: OperationTable, text: string, address: number): void {
  const bytes = Buffer.alloc(Math.ceil(text.length / 4) * 4);
  bytes.write(text, "latin1");
  for (let offset = 0; offset < bytes.length; offset += 4) table.store32(bytes.readInt32LE(offset), address + offset);
}
