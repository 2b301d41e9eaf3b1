/*
 * What a launched child does not get of this process's memory.
 *
 * A child that is cloned without CLONE_VM gets a copy of the parent's memory, of which it needs nothing but its program:
 * the arena, which is shared, and the interpreter's page. The rest costs time all the same. The kernel copies the page
 * tables, and from then on the parent's first write to each page is a fault in which that page is copied, as long as a
 * child lives that has not executed anything. Also, what is in the JavaScript heap is none of the child's business.
 *
 * So the large anonymous mappings, which are JavaScript's and its allocators', are marked with MADV_DONTFORK: there is
 * nothing at these addresses in a child. What stays is what a child may touch without a word in its program: the stack,
 * on which the interpreter puts a failure, and the block of the thread's own variables, into which the kernel writes
 * (rseq(2)). Bun's own children, which are cloned with CLONE_VM, see no difference.
 *
 * Mappings that are made later are copied, which is slow but right; most programs launch one such child.
 */
import { readText } from "../sys/named-file.ts";
import { errnoAddress, SystemCall, systemCall } from "../sys/system-call.ts";

const MADV_DONTFORK = 10;

/** Bytes; smaller mappings are not worth a system call, and the libraries' are among them. */
const SMALLEST = 2 ** 18;

/** In the line of a private mapping of memory, before its name if it has one; proc_pid_maps(5). */
const ANONYMOUS_MEMORY = " rw-p 00000000 00:00 0";

/** An address range, its end not included. */
export interface AddressRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The mappings that a child needs nothing of.
 * @param maps the text of /proc/self/maps
 * @param needed an address whose mapping stays
 */
export function unneededMappings(maps: string, needed: number): AddressRange[] {
  const mappings: AddressRange[] = [];
  // Not by regular expressions and methods of arrays, whose first use takes longer than all of this.
  for (let at = maps.indexOf(ANONYMOUS_MEMORY); at >= 0; at = maps.indexOf(ANONYMOUS_MEMORY, at + 1)) {
    let behind = at + ANONYMOUS_MEMORY.length;
    while (maps[behind] === " ") behind++;
    if (maps[behind] !== "\n") continue;
    const [from = "", to = ""] = maps.slice(maps.lastIndexOf("\n", at) + 1, at).split("-");
    const start = Number.parseInt(from, 16);
    const end = Number.parseInt(to, 16);
    if (end - start >= SMALLEST && !(start <= needed && needed < end)) mappings.push({ start, end });
  }
  return mappings;
}

let isDone = false;

/** Marks this process's memory, before its first launch of a child that would get a copy. */
export function keepMemoryFromChildren(): void {
  // The stack of another thread is an anonymous mapping, too.
  if (isDone || !Bun.isMainThread) return;
  isDone = true;
  for (const { start, end } of unneededMappings(readText("/proc/self/maps"), errnoAddress)) {
    systemCall(SystemCall.madvise, start, end - start, MADV_DONTFORK);
  }
}
