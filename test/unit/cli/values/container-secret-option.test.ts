import { expect, test } from "bun:test";
import { parseContainerSecret } from "../../../../src/cli/values/container-secret-option.ts";

const file = { type: "mount", source: "key", target: "/run/secrets/key", uid: 0, gid: 0, mode: 0o444 } as const;

test.each([
  ["key", file],
  ["source=key", file],
  ["src=key,type=mount", file],
  ["key,target=other", { ...file, target: "/run/secrets/other" }],
  ["key,target=/etc//key", { ...file, target: "/etc/key" }],
  ["key,UID=1,GID=2,mode=0400", { ...file, uid: 1, gid: 2, mode: 0o400 }],
  ["key,mode=444", file],
  ["key,type=env", { type: "env", source: "key", target: "key" }],
  ["key,type=env,target=KEY", { type: "env", source: "key", target: "KEY" }],
] as const)("%s is read", (text, expected) => {
  expect(parseContainerSecret(text)).toEqual(expected);
});

test.each([
  ["", "expected NAME"],
  ["type=env", "expected NAME"],
  ["key,target", "expected KEY=VALUE, got target"],
  ["key,tagret=x", "there is no field tagret; did you mean target?"],
  ["key,type=file", "type is mount or env"],
  ["key,type=env,mode=0400", "has no mode"],
  ["key,type=env,target=a=b", "the name of a variable has no ="],
  ["key,mode=04444", "mode is an octal number"],
  ["key,mode=9", "mode is an octal number"],
  ["key,uid=-1", "expected"],
  ["key,target=/", "the destination cannot be /"],
])("%s is refused", (text, reason) => {
  expect(() => parseContainerSecret(text)).toThrow(reason);
});
