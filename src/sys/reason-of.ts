import type { BunkerError } from "./error.ts";

/** What an error's message says beyond its operation and object, for one that says the same otherwise. */
export function reasonOf({ operation, object, message }: BunkerError): string {
  const subject = object === undefined ? operation : `${operation} ${object}`;
  return message.startsWith(`${subject}: `) ? message.slice(subject.length + 2) : message;
}
