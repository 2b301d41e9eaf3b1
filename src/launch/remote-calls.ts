/*
 * System calls that the runtime makes through the child of a launch program, one at a time.
 *
 * Some work can only be done where the child is (with its ids, in its mount namespace) but needs loops and decisions
 * that JavaScript is for, such as copying a tree. For that the program has a loop: it waits for a byte, makes the call
 * that a slot chooses with the arguments that six slots hold, stores the result in another slot, and says that it is
 * done. The slots are in memory that both sides share, so the runtime fills them in and reads the result. Which calls
 * can be made is settled when the program is written; each is an operation of the loop.
 *
 *   program -> runtime   the loop is reached
 *   runtime -> program   a call is set up        |
 *   program -> runtime   its result is there     | any number of times
 *   runtime -> program   go on behind the loop
 */
import type { SystemCallName } from "../sys/system-call-number.ts";
import type { Slot } from "./operation.ts";
import type { LaunchProgram } from "./program.ts";

const ARGUMENTS = 6;
/** The choice that ends the loop; the calls are counted from 1. */
const LEAVE = 0;

/** The talk with the child; both throw what the program failed with. */
export interface Exchange {
  /** Lets the program go on. */
  readonly send: () => void;
  /** Waits for the program's byte. */
  readonly expect: () => void;
}

/** A loop of system calls in a launch program; see the head of this file. */
export class RemoteCalls<Name extends SystemCallName> {
  readonly #program: LaunchProgram;
  readonly #names: readonly Name[];
  readonly #choice: Slot;
  readonly #result: Slot;
  readonly #arguments: readonly Slot[];

  /**
   * Emits the loop.
   * @param socket the program's end of the socket pair
   * @param names of the calls that can be made
   */
  constructor(program: LaunchProgram, socket: number, names: readonly Name[]) {
    this.#program = program;
    this.#names = names;
    this.#choice = program.slot("choice");
    this.#result = program.slot("remote result");
    this.#arguments = Array.from({ length: ARGUMENTS }, (_, index) => program.slot(`argument ${index}`));
    const buffer = program.reserve(8);
    const told = program.label("tell");
    const heard = program.label("heard");
    const leave = program.label("leave");
    const count = program.slot("count");
    const what = { operation: "talk with the runtime" };
    program.place(told);
    program.call("write", [socket, program.text("."), 1], what);
    program.call("read", [socket, buffer.address, 1], what, { result: count });
    program.branch(count, "equal", 1, heard);
    program.call("exit_group", [1], what);
    program.place(heard);
    program.branch(this.#choice, "equal", LEAVE, leave);
    for (const [index, name] of names.entries()) {
      const other = program.label("other call");
      program.branch(this.#choice, "not equal", index + 1, other);
      const remote = { operation: "make a call for the runtime", object: name };
      program.call(name, this.#arguments, remote, {
        result: this.#result,
        ignore: "any",
        onSuccess: told,
        onIgnored: told,
      });
      program.place(other);
    }
    program.fail(what);
    program.place(leave);
    for (const slot of [this.#choice, this.#result, ...this.#arguments, count]) program.release(slot);
  }

  /**
   * Makes calls while the program is in the loop, and then lets it go on behind.
   * @param work is given the function to make a call by, which returns the kernel's result
   */
  serve(exchange: Exchange, work: (call: (name: Name, ...args: number[]) => number) => void): void {
    exchange.expect();
    work((name, ...args) => {
      this.#program.write(this.#choice, this.#names.indexOf(name) + 1);
      for (const [index, slot] of this.#arguments.entries()) this.#program.write(slot, args[index] ?? 0);
      exchange.send();
      exchange.expect();
      return this.#program.read(this.#result);
    });
    this.#program.write(this.#choice, LEAVE);
    exchange.send();
  }
}
