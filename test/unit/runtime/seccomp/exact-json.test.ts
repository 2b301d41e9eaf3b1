import { expect, test } from "bun:test";
import { parseExactJson } from "../../../../src/runtime/seccomp/exact-json.ts";

const LONG = "18446744073709551615";

test.each([
  [LONG, BigInt(LONG)],
  [`-9223372036854775808`, -9223372036854775808n],
  [`{"value":${LONG}}`, { value: BigInt(LONG) }],
  [`{"value" :\n\t${LONG} }`, { value: BigInt(LONG) }],
  [`[${LONG},${LONG}]`, [BigInt(LONG), BigInt(LONG)]],
  [`[1,-${LONG}]`, [1, -BigInt(LONG)]],
  ["[9007199254740991,9007199254740993]", [9007199254740991, 9007199254740993n]],
  ["[0.12345678901234567890, 1e20]", [0.12345678901234568, 1e20]],
  [
    `{"path":"/containers/${LONG}","text":"a ${LONG}, :[-${LONG}"}`,
    { path: `/containers/${LONG}`, text: `a ${LONG}, :[-${LONG}` },
  ],
])("%s keeps its integers", (text, value) => {
  expect(parseExactJson(text)).toEqual(value);
});
