/** What was done to a block's bytes before they were compressed, and is undone here. The length stays what it is. */
export interface Filter {
  /** Undoes it, perhaps in place; what cannot be done before more comes is kept back. */
  update(bytes: Buffer): Buffer;
  /** What was kept back, at the end. */
  finish(): Buffer;
}
