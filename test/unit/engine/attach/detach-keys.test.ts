import { describe, expect, test } from "bun:test";
import { detachKeyFilter, parseDetachKeys } from "../../../../src/engine/attach/detach-keys.ts";

/** What is passed on of what is typed key by key, and whether the sequence was found. */
function type(keys: string, typed: string): { readonly passed: string; readonly isFound: boolean } {
  const filter = detachKeyFilter(parseDetachKeys(keys));
  let passed = "";
  for (const key of typed) {
    const some = filter(Buffer.from(key));
    if (some === undefined) return { passed, isFound: true };
    passed += some.toString();
  }
  return { passed, isFound: false };
}

describe("detach keys", () => {
  test("are characters, keys with ctrl, and DEL", () => {
    expect([...parseDetachKeys("ctrl-p,Q,ctrl-@,ctrl-_,DEL")]).toEqual([0x10, 0x51, 0, 0x1f, 0x7f]);
    expect([...parseDetachKeys(undefined)]).toEqual([0x10, 0x11]);
    expect([...parseDetachKeys("")]).toEqual([]);
  });

  test.each(["ctrl-", "ctrl-1", "ab", "a,", "é", "del"])("are not %p", (text) => {
    expect(() => parseDetachKeys(text)).toThrow("is no key");
  });

  test.each([
    ["a,b", "xab", "x", true],
    ["a,b", "aab", "a", true],
    ["a,b", "acb", "acb", false],
    ["a,a,b", "aaab", "a", true],
    ["a,b,a,c", "ababac", "ab", true],
    ["a,b,a,c", "abab", "ab", false],
    ["", "ab", "ab", false],
  ])("%p in %p pass on %p", (keys, typed, passed, isFound) => {
    expect(type(keys, typed)).toEqual({ passed, isFound });
  });
});
