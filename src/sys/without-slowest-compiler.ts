import { noFTL } from "bun:jsc";

type Callable = (...values: never[]) => unknown;
type Class = abstract new (...values: never[]) => object;

/**
 * Keeps functions from the last and slowest of the engine's compilers. For small ones that are called some ten thousand
 * times in a second of work: that compiler takes longer with one than its code saves.
 * @param subjects functions; of a class, those that it has under names of its prototype
 */
export function withoutSlowestCompiler(...subjects: readonly (Callable | Class)[]): void {
  for (const subject of subjects) {
    const methods: object = isClass(subject) ? Object.getOwnPropertyDescriptors(subject.prototype) : {};
    const values = Object.values<PropertyDescriptor>(methods as Record<string, PropertyDescriptor>);
    for (const value of [subject, ...values.map((method): unknown => method.value)]) {
      if (typeof value === "function") noFTL(value as (...values: unknown[]) => unknown);
    }
  }
}

function isClass(subject: Callable | Class): subject is Class {
  return "prototype" in subject;
}
