/**
 * How an interpreter begins.
 * - `clone`: a function `(clone_args address, clone_args size, address of the slots)` that calls clone3, gives the
 *   caller its result, and in the child executes the operations, which follow the slots.
 * - an object: the first instruction of a program file, which executes the operations at one fixed address with the
 *   slots at another, after storing the initial stack pointer (argc, argv, environment) in `stackSlot`.
 */
export type InterpreterEntry =
  | "clone"
  | { readonly slotsAddress: number; readonly operationsAddress: number; readonly stackSlot: number };
