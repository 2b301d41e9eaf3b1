/*
 * Theory of operation: the launch program.
 *
 * Between clone and exec a child must do dozens of things that only it can do: join namespaces, mount, pivot, drop
 * privileges. JavaScript cannot run there, because a forked child has only one of the runtime's threads, and it cannot
 * be done before the fork either, because the kernel lets no process with several threads change its user namespace.
 *
 * So the parent writes down what is to be done, as a table of operations, most of them one system call each, and the
 * child obeys: an interpreter of a few hundred bytes of machine code (interpreter/) that was emitted into an
 * executable page makes the clone3 call itself and, in the child, walks the table until an execve succeeds or an
 * operation fails. It needs no libc, no stack and no memory but the program's.
 *
 * One mapping holds all of it, the arena:
 *
 *   | 64 slots | operations -> ...        ... <- texts, arrays, structures, buffers |
 *
 * The arena is shared memory, so the parent can read the slots and buffers after or while the child runs, and
 * everything else is the child's own copy, unless the launch asks for CLONE_VM, which spares copying the page tables; then
 * the child has a stack in the arena. This cuts both ways: a child that the program forks shares the slots with its
 * parent. Nothing in the arena is trusted as more than numbers and bytes by the parent, although
 * only our own code can write to it: exec gives the memory up.
 *
 * Because it is shared, the program also need not be complete when it is launched: it may end at an operation that waits
 * for the parent, and the parent adds the rest while the child, or somebody on the child's behalf, is busy.
 *
 * A slot is a 64-bit variable. An operation names slots as arguments, for its result, and in branches; that suffices
 * to pass a file descriptor from one call to the next, to fork, to wait for a byte from the parent, and to run and
 * check another program on the way.
 *
 * An operation that fails and does not ignore its errno ends the program: the interpreter writes (index, errno) to the
 * error descriptor and exits with status 127; see failure.ts. If exec succeeds, the error descriptor closes by itself
 * (it is close-on-exec), and whoever reads its other end sees the end of the file. A program that forks a process
 * which lives on without exec has to close `errorDescriptor` there, or the reader waits for it as well.
 */
import { hostArchitecture } from "../sys/architecture.ts";
import { getInteger64, putInteger64, setInteger64 } from "../sys/integer64.ts";
import { type Memory, memoryOver } from "../sys/memory.ts";
import { type MappedMemory, mapMemory } from "../sys/system-call.ts";
import { type SystemCallName, systemCallNumber } from "../sys/system-call-number.ts";
import { encodeUtf8 } from "../sys/utf8.ts";
import { describeOperations } from "./describe.ts";
import type { FailureTable } from "./failure.ts";
import { ERROR_DESCRIPTOR_SLOT, OPERATION_SIZE, SLOTS_SIZE, type Slot } from "./operation.ts";
import { OperationTable } from "./operation-table.ts";

const DEFAULT_SIZE = 2 ** 20;

/** A program may look at each byte of a text by loading the eight that begin there, also of the last text. */
const UNUSED_AT_THE_END = 8;

const STACK_SIZE = 256;
/** Bytes; arm64 faults at other addresses. */
const STACK_ALIGNMENT = 16;

/** What was put into the arena: a text, texts, or so many bytes. */
type Content = string | Uint8Array | readonly (string | Uint8Array)[] | number;

function describeContent(content: Content): string {
  if (typeof content === "number") return `memory[${content}]`;
  if (typeof content === "string") return JSON.stringify(content);
  if (content instanceof Uint8Array) return JSON.stringify(Buffer.from(content).toString("utf8"));
  return `[${content.map(describeContent).join(", ")}]`;
}

/** A function of its own, because a brief command takes 0.2 ms to call the first one that mentions Buffer. */
function latin1Of(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** A launch program with its memory. Dispose it when the child has executed it. */
export class LaunchProgram extends OperationTable implements Disposable {
  /** The number of the error descriptor in the child, to be moved or kept open by the program's own calls. */
  readonly errorDescriptor: Slot = { name: "error descriptor", index: ERROR_DESCRIPTOR_SLOT };
  readonly #arena: MappedMemory;
  /** The arena as 32-bit words, which cost less to write than by the methods of a DataView. */
  readonly #words: Int32Array;
  readonly #texts = new Map<string, number>();
  readonly #byteTexts = new Map<string, number>();
  /** What stands at the offsets that were handed out, for `describe`. */
  readonly #contents = new Map<number, Content>();
  #dataStart: number;
  #disposed = false;
  #isKept = false;
  #isOpen = false;
  /** How many operations are in the arena. */
  #written = 0;
  #handedOver = 0;

  /**
   * @param memory for the arena, given back with it, or the arena's size in bytes; what is not used costs no memory, but
   *   counts for the garbage collector, which starts all the sooner
   */
  constructor(memory: MappedMemory | number = DEFAULT_SIZE) {
    const arena = typeof memory === "number" ? mapMemory(memory, "shared") : memory;
    const size = arena.bytes.length;
    super(arena.address);
    this.#arena = arena;
    this.#words = new Int32Array(arena.view.buffer, 0, size >> 2);
    this.#dataStart = (size & ~7) - UNUSED_AT_THE_END;
  }

  /**
   * Puts a NUL-terminated text into the arena; the same text gets the same address.
   * @param value a string, stored as UTF-8 (so not a `ByteString`), or the bytes themselves
   * @returns its address
   * @throws Error if the text contains NUL, which would cut it short
   */
  text(value: string | Uint8Array): number {
    const key = typeof value === "string" ? value : latin1Of(value);
    const texts = typeof value === "string" ? this.#texts : this.#byteTexts;
    const known = texts.get(key);
    if (known !== undefined) return known;
    if (key.includes("\0")) throw new Error(`text for a launch program contains NUL: ${JSON.stringify(key)}`);
    const bytes = typeof value === "string" ? encodeUtf8(value) : value;
    const start = this.#take(bytes.length + 1, value);
    this.#arena.bytes.set(bytes, start);
    const address = this.#arena.address + start;
    texts.set(key, address);
    return address;
  }

  /** Puts an array of pointers to texts, ended by a null pointer, into the arena: argv, envp. Returns its address. */
  texts(values: readonly (string | Uint8Array)[]): number {
    const start = this.#take(8 * (values.length + 1), values);
    let word = start / 4;
    for (const value of values) {
      putInteger64(this.#words, word, this.text(value));
      word += 2;
    }
    return this.#arena.address + start;
  }

  /** Puts a copy of `data` into the arena, aligned to 8 bytes. Returns its address. */
  bytes(data: Uint8Array): number {
    const start = this.#take(data.length, data.length);
    this.#arena.bytes.set(data, start);
    return this.#arena.address + start;
  }

  /** Sets aside zeroed memory, aligned to 8 bytes, that the parent and the child share. */
  reserve(size: number): Memory {
    const start = this.#take(size, size);
    return memoryOver(this.#arena.view.buffer, this.#arena.address + start, start, size);
  }

  /** Sets memory aside for the stack of a child that shares the parent's memory: only a failure needs some bytes of it. */
  reserveStack(): { readonly address: number; readonly size: number } {
    const { address } = this.reserve(STACK_SIZE + STACK_ALIGNMENT);
    return { address: Math.ceil(address / STACK_ALIGNMENT) * STACK_ALIGNMENT, size: STACK_SIZE };
  }

  /**
   * Does the same for each row of values: `body` emits the operations once, with a slot for each column that holds the
   * row's value in its turn. A description with a slot's index as `objectSlot` names the value in errors.
   * @param columns the names of the slots
   * @param rows numbers, or the addresses of texts
   */
  forEach<const Columns extends readonly string[]>(
    columns: Columns,
    rows: readonly { readonly [Column in keyof Columns]: number }[],
    body: (...values: { readonly [Column in keyof Columns]: Slot }) => void,
  ): void {
    if (rows.length === 0) return;
    const rowSize = 8 * columns.length;
    const start = this.#take(rowSize * rows.length, rowSize * rows.length);
    let offset = start;
    for (const row of rows) {
      for (const value of row) {
        putInteger64(this.#words, offset / 4, value);
        offset += 8;
      }
    }
    const cursor = this.slot("row");
    const slots = columns.map((name) => this.slot(name));
    const next = this.label("next row");
    this.set(cursor, this.#arena.address + start);
    this.place(next);
    for (const [index, slot] of slots.entries()) this.load64(slot, cursor, 8 * index);
    body(...(slots as unknown as { readonly [Column in keyof Columns]: Slot }));
    this.add(cursor, cursor, rowSize);
    this.branch(cursor, "less", this.#arena.address + offset, next);
    for (const slot of [cursor, ...slots]) this.release(slot);
  }

  /** What each operation that can fail is about, with the objects that slots hold now. */
  override failureTable(first = 0): FailureTable {
    return super.failureTable(first).map(({ objectSlot, ...entry }) => {
      if (objectSlot === undefined) return entry;
      const value = this.read({ name: "object", index: objectSlot });
      // Only for the operation that has just failed the slot is sure to hold its object still.
      const content = this.#contents.get(value - this.#arena.address);
      return { ...entry, object: typeof content === "string" ? content : String(value) };
    });
  }

  /** Says that failures of the operations from here on are read by another process, long after the launch. */
  handOver(): void {
    this.#handedOver = this.operations.length;
  }

  /** What that other process needs to know to read them; plain data. */
  failureTableAfterHandOver(): FailureTable {
    return this.failureTable(this.#handedOver);
  }

  /** Sets a slot, for a child that waits meanwhile. */
  write(slot: Slot, value: number): void {
    this.#checkNotDisposed();
    setInteger64(this.#arena.view, 8 * slot.index, value);
  }

  /** The value of a slot now, signed. */
  read(slot: Slot): number {
    this.#checkNotDisposed();
    return getInteger64(this.#arena.view, 8 * slot.index);
  }

  /** What `text`, `texts`, `bytes` or `reserve` put at an address, for people to read. */
  describeAddress(address: number): string | undefined {
    const content = this.#contents.get(address - this.#arena.address);
    return content === undefined ? undefined : describeContent(content);
  }

  /**
   * The program as text, one operation a line: index, label, the call with its arguments, the slot of its result,
   * where it goes, what it is for.
   */
  describe(): string {
    return describeOperations(this, (address) => this.describeAddress(address));
  }

  /**
   * Says that the last operation so far waits for the parent, which launches the program now and adds the rest while
   * the child waits; `finish` has to come before the child is woken.
   */
  waitForRest(): void {
    this.#isOpen = true;
  }

  /**
   * Hands the operations that were added so far to the child, the last of which waits for the parent once more: the child
   * may be woken, and `finish` has to come before it is woken from there.
   */
  extend(): void {
    this.#writeOperations();
  }

  /** Hands the operations that were added since to the child; these are all. */
  finish(): void {
    this.#isOpen = false;
    this.#writeOperations();
  }

  /** Writes the operations into the arena, for `launch`. */
  prepare(errorDescriptor: number): void {
    this.#written = 0;
    this.#writeOperations();
    setInteger64(this.#arena.view, 8 * ERROR_DESCRIPTOR_SLOT, errorDescriptor);
  }

  #writeOperations(): void {
    this.#checkNotDisposed();
    const architecture = hostArchitecture();
    const numberOf = (name: SystemCallName) => systemCallNumber(name, architecture);
    const operations = this.encode(numberOf, "fixed", this.#isOpen ? "open" : "closed", this.#written);
    this.#arena.bytes.set(operations, SLOTS_SIZE + this.#written * OPERATION_SIZE);
    this.#written = this.operations.length;
  }

  /**
   * Says that a child which shares this process's memory may be at it until this process ends: the arena stays then, also
   * when the program is disposed.
   */
  keep(): void {
    this.#isKept = true;
  }

  /** Gives the arena back; a running child that has memory of its own keeps its view of it. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (!this.#isKept) this.#arena[Symbol.dispose]();
  }

  protected override checkRoom(operationCount: number): void {
    if (SLOTS_SIZE + operationCount * OPERATION_SIZE > this.#dataStart) {
      throw new Error(`launch program exceeds its arena of ${this.#arena.bytes.length} bytes`);
    }
  }

  /** Sets aside memory from the arena's end on. Returns its offset. */
  #take(size: number, content: Content): number {
    this.#checkNotDisposed();
    const start = (this.#dataStart - size) & ~7;
    if (start < SLOTS_SIZE + this.operations.length * OPERATION_SIZE) {
      throw new Error(`launch program exceeds its arena of ${this.#arena.bytes.length} bytes`);
    }
    this.#dataStart = start;
    this.#contents.set(start, content);
    return start;
  }

  #checkNotDisposed(): void {
    if (this.#disposed) throw new Error("launch program used after it was disposed");
  }
}
