/*
 * The vocabulary of the schemas. Messages here are what was expected, in words that fit after "expected"; the parser
 * adds where and what was found. Schemas are built when a configuration is first parsed, not at import: a command that
 * parses none pays nothing for them.
 */
import * as v from "valibot";
import { lazily } from "../../../lazily.ts";
import { nearestName } from "../../../nearest-name.ts";

/** `T` with every member, at every depth, readonly. */
export type Immutable<T> = T extends readonly (infer Item)[]
  ? readonly Immutable<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Immutable<T[Key]> }
    : T;

/**
 * A member that is rarely there. Building a schema takes longer than reading by it, so this one is built for the first
 * configuration that has the member.
 */
export function rare<Schema extends v.GenericSchema>(build: () => Schema) {
  return v.optional(v.lazy<Schema>(lazily(build)));
}

/** Text for the kernel, which ends strings at the first NUL: one in the middle would silently cut it. */
export const text = lazily(() =>
  v.pipe(
    v.string("a string"),
    v.check((value) => !value.includes("\0"), "a string without NUL characters"),
  ),
);

/** Where something is to be in the container. A relative path is allowed for old tools and means "from its root". */
export const pathInContainer = lazily(() =>
  v.pipe(
    text(),
    v.nonEmpty("a path"),
    v.transform((path) => (path.startsWith("/") ? path : `/${path}`)),
  ),
);

/** `true` or `false`. */
export const flag = lazily(() => v.boolean("true or false"));

/** An integer of at most 53 bits and sign, limits included. */
export function integer(minimum: number, maximum: number) {
  const message = `an integer from ${minimum} to ${maximum}`;
  return v.pipe(
    v.number("a number"),
    v.check((value) => Number.isInteger(value) && value >= minimum && value <= maximum, message),
  );
}

export const unsigned16 = lazily(() => integer(0, 0xffff));
export const unsigned32 = lazily(() => integer(0, 0xffff_ffff));
/** A user or group id; 2^32 - 1 stands for "leave it as it is" in system calls, which would be root. */
export const id = lazily(() => integer(0, 0xffff_fffe));
export const signed32 = lazily(() => integer(-0x8000_0000, 0x7fff_ffff));

/**
 * A 64-bit integer of which the exact last bits do not matter (bytes, nanoseconds, identifiers of devices): a plain
 * number, rounded to the next double beyond 2^53.
 */
export const signed64 = lazily(() => roundedInteger(-(2n ** 63n), 2n ** 63n - 1n, "a 64-bit integer"));
export const unsigned64 = lazily(() => roundedInteger(0n, 2n ** 64n - 1n, "an integer from 0 to 2^64 - 1"));

function roundedInteger(minimum: bigint, maximum: bigint, message: string) {
  return v.pipe(
    v.union([v.number(), v.bigint()], "a number"),
    v.check((value) => isIntegerBetween(value, minimum, maximum), message),
    v.transform(Number),
  );
}

/** A 64-bit pattern that must be exact (RLIM_INFINITY, masks): a number up to 2^53, beyond that a bigint. */
export const exactUnsigned64 = lazily(() =>
  v.pipe(
    v.union([v.number(), v.bigint()], "a number"),
    v.check((value) => isIntegerBetween(value, 0n, 2n ** 64n - 1n), "an integer from 0 to 2^64 - 1"),
  ),
);

function isIntegerBetween(value: number | bigint, minimum: bigint, maximum: bigint): boolean {
  return (typeof value === "bigint" || Number.isSafeInteger(value)) && value >= minimum && value <= maximum;
}

/** An object with the given members; others are left out of the result. */
export function structure<Entries extends v.ObjectEntries>(entries: Entries) {
  return v.pipe(
    v.any(),
    v.check((value) => typeof value === "object" && value !== null && !Array.isArray(value), "an object"),
    v.object(entries),
  );
}

/** An object that maps names to `value`. */
export function mapTo<Value extends v.GenericSchema>(value: Value) {
  return v.pipe(
    v.any(),
    v.check((map) => typeof map === "object" && map !== null && !Array.isArray(map), "an object"),
    v.record(v.pipe(v.string(), v.nonEmpty("a name that is not empty")), value),
  );
}

/** A list of `item`. */
export function listOf<Item extends v.GenericSchema>(item: Item) {
  return v.array(item, "a list");
}

/**
 * One of the names that a table gives a meaning.
 * @param what the names are names of, with its article: "a capability"
 */
export function oneOf<const Names extends readonly string[]>(what: string, names: Names) {
  return v.picklist(names, (issue) => {
    const nearest = typeof issue.input === "string" ? nearestName(issue.input, names) : undefined;
    if (nearest !== undefined) return `${what}, perhaps ${nearest}`;
    return names.length <= 8 ? `${what} (${names.join(", ")})` : `the name of ${what}`;
  });
}

/** `oneOf` the keys of a table. */
export function keyOf<const Table extends Readonly<Record<string, unknown>>>(what: string, table: Table) {
  return oneOf(what, Object.keys(table) as (keyof Table & string)[]);
}
