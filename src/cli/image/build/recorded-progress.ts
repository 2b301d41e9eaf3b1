import type { BuildObserver } from "../../../build/progress.ts";

/** What a build has told of itself, kept until it is known whether that counts. */
export class RecordedProgress {
  readonly observer: BuildObserver = {
    declare: (vertex) => this.#record((observer) => observer.declare(vertex)),
    event: (vertex, event) => this.#record((observer) => observer.event(vertex, event)),
    warn: (message) => this.#record((observer) => observer.warn(message)),
  };
  readonly #begun = performance.now();
  readonly #told: { readonly time: number; readonly tell: (observer: BuildObserver) => void }[] = [];

  /**
   * Tells it all to somebody else.
   * @param show makes who is told; `now` is the time at which it happened, in milliseconds since this process began
   */
  replay<Shown extends Disposable & { readonly observer: BuildObserver }>(show: (now: () => number) => Shown): void {
    let present: number | undefined = this.#begun;
    using shown = show(() => present ?? performance.now());
    for (const { time, tell } of this.#told) {
      present = time;
      tell(shown.observer);
    }
    present = undefined;
  }

  #record(tell: (observer: BuildObserver) => void): void {
    this.#told.push({ time: performance.now(), tell });
  }
}
