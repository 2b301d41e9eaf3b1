/*
 * What a build tells of itself while it goes on: for each step a vertex, as BuildKit calls it, that begins, says
 * something, and ends in one of four ways. Who shows it is not known here.
 */

/** How a vertex has ended. */
export type VertexEnd =
  | { readonly kind: "done" }
  /** Its result was there already. */
  | { readonly kind: "cached" }
  | { readonly kind: "failed"; readonly message: string }
  /** It was stopped because another one had failed, or the user wants no more. */
  | { readonly kind: "cancelled" };

/** What happens to a vertex. */
export type VertexEvent =
  | { readonly kind: "begin" }
  /** Output of a command; 1 for its standard output, 2 for standard error. */
  | { readonly kind: "output"; readonly stream: 1 | 2; readonly bytes: Uint8Array }
  /** A part of its work: `transferring context`, with how far it is; the last one for an id counts. */
  | { readonly kind: "status"; readonly id: string; readonly text: string; readonly isDone: boolean }
  | { readonly kind: "end"; readonly end: VertexEnd };

/** Who is told. */
export interface BuildObserver {
  /** A vertex is known; it may begin later, or never. */
  declare(vertex: Vertex): void;
  event(vertex: Vertex, event: VertexEvent): void;
  warn(message: string): void;
}

/** One step of a build, as it is shown. */
export class Vertex {
  /** `[build 2/4] RUN make`. */
  readonly name: string;
  readonly #observer: BuildObserver;
  #state: "waiting" | "begun" | "ended" = "waiting";

  constructor(observer: BuildObserver, name: string) {
    this.name = name;
    this.#observer = observer;
    observer.declare(this);
  }

  /** Does the vertex's work between its beginning and its end. */
  async during<Result>(signal: AbortSignal, work: () => Promise<Result> | Result): Promise<Result> {
    this.begin();
    try {
      const result = await work();
      this.#end({ kind: "done" });
      return result;
    } catch (error) {
      if (signal.aborted) this.#end({ kind: "cancelled" });
      else this.#end({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
      throw error;
    }
  }

  /** May be called before `during`, by what it has to wait for. */
  begin(): void {
    if (this.#state !== "waiting") return;
    this.#state = "begun";
    this.#observer.event(this, { kind: "begin" });
  }

  output(stream: 1 | 2, bytes: Uint8Array): void {
    this.#observer.event(this, { kind: "output", stream, bytes });
  }

  status(id: string, text: string, isDone = false): void {
    this.#observer.event(this, { kind: "status", id, text, isDone });
  }

  /** Says that it has nothing to do; without effect on one that has done something. */
  cached(): void {
    if (this.#state === "waiting") {
      this.begin();
      this.#end({ kind: "cached" });
    }
  }

  #end(end: VertexEnd): void {
    this.#state = "ended";
    this.#observer.event(this, { kind: "end", end });
  }
}
