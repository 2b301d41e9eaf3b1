import type { ByteString } from "../../sys/byte-string.ts";
import { showName } from "../tar/tar-error.ts";

/** Names in one warning, and different warnings for one layer: a hostile layer must not flood memory or terminal. */
const MAXIMUM_NAMES = 5;
const MAXIMUM_REASONS = 20;

/** What a layer could not keep, gathered by reason. */
export class Losses {
  readonly #entries = new Map<string, { readonly names: ByteString[]; count: number }>();

  add(reason: string, path: ByteString): void {
    const known = this.#entries.get(reason);
    if (known === undefined) {
      if (this.#entries.size < MAXIMUM_REASONS) this.#entries.set(reason, { names: [path], count: 1 });
      return;
    }
    known.count++;
    if (known.names.length < MAXIMUM_NAMES) known.names.push(path);
  }

  /** One sentence for each reason. */
  messages(): string[] {
    return [...this.#entries].map(([reason, { names, count }]) => {
      const further = count - names.length;
      return `${reason}: ${names.map(showName).join(", ")}${further > 0 ? ` and ${further} more` : ""}`;
    });
  }
}
