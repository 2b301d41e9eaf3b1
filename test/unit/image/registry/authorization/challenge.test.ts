import { expect, test } from "bun:test";
import { parseChallenges } from "../../../../../src/image/registry/authorization/challenge.ts";

test.each<[header: string, expected: [scheme: string, parameters: Record<string, string>][]]>([
  ["", []],
  ["Basic", [["basic", {}]]],
  ['Basic realm="a \\"quoted\\" realm"', [["basic", { realm: 'a "quoted" realm' }]]],
  [
    'Bearer realm="https://auth.example.com/token",service="registry.example.com",scope="repository:a/b:pull,push"',
    [
      [
        "bearer",
        {
          realm: "https://auth.example.com/token",
          service: "registry.example.com",
          scope: "repository:a/b:pull,push",
        },
      ],
    ],
  ],
  [
    "bearer realm=https://auth.example.com/token , Service = plain",
    [["bearer", { realm: "https://auth.example.com/token", service: "plain" }]],
  ],
  [
    'Negotiate, Basic realm="one, two", Bearer realm="x"',
    [
      ["negotiate", {}],
      ["basic", { realm: "one, two" }],
      ["bearer", { realm: "x" }],
    ],
  ],
  [
    "Negotiate YWJjZA==, Basic realm=x",
    [
      ["negotiate", {}],
      ["basic", { realm: "x" }],
    ],
  ],
  ['Bearer realm="x",error="invalid_token"', [["bearer", { realm: "x", error: "invalid_token" }]]],
  ['Bearer realm="unterminated', [["bearer", {}]]],
])("%s", (header, expected) => {
  const challenges = parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
  expect(challenges).toEqual(expected);
});
