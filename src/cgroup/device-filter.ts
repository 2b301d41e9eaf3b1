/*
 * Theory of operation: which devices the processes of a cgroup may use.
 *
 * cgroup v2 has no files for that. It runs a program of the kernel's own bytecode (BPF_PROG_TYPE_CGROUP_DEVICE) at each
 * mknod(2) and open(2) of a device, which sees the kind of access, the type of the device and its numbers, and answers 1
 * or 0. Such programs may only be attached by who has CAP_BPF and CAP_NET_ADMIN or CAP_SYS_ADMIN on the host. Nobody else
 * needs one: in a user namespace no device node can be made, and those of the host keep their permissions.
 *
 * The rules of `linux.resources.devices` are applied one after the other in the specification, so the last one that fits
 * decides, for each of the three kinds of access by itself. The program therefore asks them from the last to the first,
 * and keeps the kinds that are still undecided in a register: a rule that allows takes its kinds out, and there is
 * nothing left to ask when that was the last one; a rule that denies an undecided kind ends it. What no rule has decided
 * is allowed. Behind the rules stand, as with runc and crun, the devices without which no container works: making any
 * node, and using null, zero, full, random, urandom, tty, console and the terminals.
 *
 * Of the programs of one cgroup all must agree, so a new one is attached beside the old, and the old taken away: no
 * moment is without.
 */
import { openSync } from "node:fs";
import { BunkerError } from "../sys/error.ts";
import { FileDescriptor } from "../sys/file-descriptor.ts";
import { allocate, type Memory } from "../sys/memory.ts";
import { SystemCall, systemCall } from "../sys/system-call.ts";
import { MOUNT } from "./mount-point.ts";
import type { DeviceRule } from "./resource-files.ts";

const BpfCommand = { PROG_LOAD: 5, PROG_ATTACH: 8, PROG_DETACH: 9, PROG_GET_FD_BY_ID: 13, PROG_QUERY: 16 } as const;
const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;
/** Of `union bpf_attr`, as far as it is used here. */
const ATTRIBUTE_SIZE = 72;
const MOST_PROGRAMS = 64;

const Access = { m: 1, r: 2, w: 4 } as const;
const DeviceType = { b: 1, c: 2 } as const;

const ESSENTIAL_DEVICES: readonly DeviceRule[] = [
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  ...[
    [1, 3], // null
    [1, 5], // zero
    [1, 7], // full
    [1, 8], // random
    [1, 9], // urandom
    [5, 0], // tty
    [5, 1], // console
    [5, 2], // ptmx
    [136, -1], // the terminals of devpts
  ].map(([major, minor]): DeviceRule => ({ allow: true, type: "c", major, minor, access: "rwm" })),
];

/** Opcodes of linux/bpf.h: class, operation and source of the operand in one byte. */
const Opcode = {
  loadWord: 0x61,
  and: 0x54,
  shiftRight: 0x74,
  moveRegister: 0xbc,
  move: 0xb4,
  jumpIfEqual: 0x15,
  jumpUnlessEqual: 0x55,
  exit: 0x95,
} as const;

/** What is in which register; r1 points to `struct bpf_cgroup_dev_ctx` first, and is free afterwards. */
const Register = { result: 0, scratch: 1, type: 2, undecided: 3, major: 4, minor: 5 } as const;

const INSTRUCTION_SIZE = 8;

/** One instruction; an offset counts the instructions that are skipped. */
function instruction(opcode: number, destination: number, source: number, offset: number, immediate: number): Buffer {
  const bytes = Buffer.alloc(INSTRUCTION_SIZE);
  bytes.writeUInt8(opcode, 0);
  bytes.writeUInt8(destination | (source << 4), 1);
  bytes.writeInt16LE(offset, 2);
  bytes.writeInt32LE(immediate | 0, 4);
  return bytes;
}

const answer = (value: 0 | 1): readonly Buffer[] => [
  instruction(Opcode.move, Register.result, 0, 0, value),
  instruction(Opcode.exit, 0, 0, 0, 0),
];

/**
 * The program that obeys rules.
 * @param rules in their order, without those that are always added
 * @returns instructions of 8 bytes
 */
export function deviceProgram(rules: readonly DeviceRule[]): Buffer {
  const prologue = [
    instruction(Opcode.loadWord, Register.type, 1, 0, 0),
    instruction(Opcode.moveRegister, Register.undecided, Register.type, 0, 0),
    instruction(Opcode.and, Register.type, 0, 0, 0xffff),
    instruction(Opcode.shiftRight, Register.undecided, 0, 0, 16),
    instruction(Opcode.loadWord, Register.major, 1, 4, 0),
    instruction(Opcode.loadWord, Register.minor, 1, 8, 0),
  ];
  const body = [...rules, ...ESSENTIAL_DEVICES].toReversed().flatMap(ruleInstructions);
  return Buffer.concat([...prologue, ...body, ...answer(1)]);
}

function ruleInstructions({ allow, type = "a", major = -1, minor = -1, access = "" }: DeviceRule): readonly Buffer[] {
  const letters = access === "" ? "rwm" : access;
  const kinds = [...new Set(letters)].reduce((mask, letter) => mask | Access[letter as keyof typeof Access], 0);
  // Of FIFOs and unbuffered devices nobody asks.
  if (type === "p") return [];
  const decision = allow
    ? [
        instruction(Opcode.and, Register.undecided, 0, 0, ~kinds & 7),
        instruction(Opcode.jumpUnlessEqual, Register.undecided, 0, 2, 0),
        ...answer(1),
      ]
    : [
        instruction(Opcode.moveRegister, Register.scratch, Register.undecided, 0, 0),
        instruction(Opcode.and, Register.scratch, 0, 0, kinds),
        instruction(Opcode.jumpIfEqual, Register.scratch, 0, 2, 0),
        ...answer(0),
      ];
  const conditions: (readonly [register: number, value: number])[] = [];
  if (type !== "a") conditions.push([Register.type, DeviceType[type === "u" ? "c" : type]]);
  if (major >= 0) conditions.push([Register.major, major]);
  if (minor >= 0) conditions.push([Register.minor, minor]);
  return [
    ...conditions.map(([register, value], index) => {
      const toEnd = conditions.length - index - 1 + decision.length;
      return instruction(Opcode.jumpUnlessEqual, register, 0, toEnd, value);
    }),
    ...decision,
  ];
}

/**
 * Lets the processes of a cgroup use the devices that rules permit, instead of those that earlier rules did.
 * @param group its path in the hierarchy
 * @throws BunkerError `devices_not_limited`
 */
export function limitDevices(group: string, rules: readonly DeviceRule[]): void {
  using directory = new FileDescriptor(openSync(`${MOUNT}${group}`, "r"));
  const before = attachedPrograms(directory);
  using program = loadProgram(deviceProgram(rules));
  check(
    bpf(BpfCommand.PROG_ATTACH, [directory.number, program.number, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI]),
    "attach the filter of devices",
  );
  for (const id of before) {
    using old = new FileDescriptor(check(bpf(BpfCommand.PROG_GET_FD_BY_ID, [id]), "open the former filter of devices"));
    check(
      bpf(BpfCommand.PROG_DETACH, [directory.number, old.number, BPF_CGROUP_DEVICE]),
      "detach the former filter of devices",
    );
  }
}

/** The ids of the programs that are attached to a cgroup itself. */
function attachedPrograms(directory: FileDescriptor): readonly number[] {
  const ids = allocate(4 * MOST_PROGRAMS);
  const attribute = attributeOf([directory.number, BPF_CGROUP_DEVICE, 0, 0]);
  attribute.view.setBigUint64(16, BigInt(ids.address), true);
  attribute.view.setUint32(24, MOST_PROGRAMS, true);
  check(callBpf(BpfCommand.PROG_QUERY, attribute), "list the filters of devices");
  const count = attribute.view.getUint32(24, true);
  return Array.from({ length: count }, (_, index) => ids.view.getUint32(4 * index, true));
}

function loadProgram(program: Buffer): FileDescriptor {
  const instructions = allocate(program.length);
  instructions.buffer.set(program);
  // Without a licence that it knows, the kernel refuses what only programs under the GPL may call; nothing is called here.
  const licence = allocate(8);
  const attribute = attributeOf([BPF_PROG_TYPE_CGROUP_DEVICE, program.length / INSTRUCTION_SIZE]);
  attribute.view.setBigUint64(8, BigInt(instructions.address), true);
  attribute.view.setBigUint64(16, BigInt(licence.address), true);
  return new FileDescriptor(check(callBpf(BpfCommand.PROG_LOAD, attribute), "load the filter of devices"));
}

/** `union bpf_attr` that begins with these 32-bit members. */
function attributeOf(members: readonly number[]): Memory {
  const attribute = allocate(ATTRIBUTE_SIZE);
  for (const [index, member] of members.entries()) attribute.view.setUint32(4 * index, member, true);
  return attribute;
}

function bpf(command: number, members: readonly number[]): number {
  return callBpf(command, attributeOf(members));
}

function callBpf(command: number, attribute: Memory): number {
  return systemCall(SystemCall.bpf, command, attribute.address, ATTRIBUTE_SIZE);
}

function check(result: number, operation: string): number {
  if (result >= 0) return result;
  throw new BunkerError({
    code: "devices_not_limited",
    operation,
    object: "linux.resources.devices",
    errno: -result,
    hint: "device rules need CAP_SYS_ADMIN on the host and a kernel with CONFIG_CGROUP_BPF",
  });
}
