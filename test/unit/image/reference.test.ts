import { describe, expect, test } from "bun:test";
import {
  familiarReference,
  familiarRepository,
  formatReference,
  fullRepository,
  parseReference,
  withDefaultTag,
} from "../../../src/image/reference.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

describe("parseReference", () => {
  test.each([
    ["debian", "docker.io/library/debian", "debian"],
    ["debian:12", "docker.io/library/debian:12", "debian:12"],
    ["library/debian", "docker.io/library/debian", "debian"],
    ["docker.io/debian", "docker.io/library/debian", "debian"],
    ["index.docker.io/library/debian:12", "docker.io/library/debian:12", "debian:12"],
    ["user/app", "docker.io/user/app", "user/app"],
    ["library/a/b", "docker.io/library/a/b", "library/a/b"],
    ["localhost/app", "localhost/app", "localhost/app"],
    ["localhost:5000/app:v1", "localhost:5000/app:v1", "localhost:5000/app:v1"],
    ["LOCAL/app", "LOCAL/app", "LOCAL/app"],
    ["registry.example.org/a/b/c", "registry.example.org/a/b/c", "registry.example.org/a/b/c"],
    ["[::1]:5000/app", "[::1]:5000/app", "[::1]:5000/app"],
    ["127.0.0.1:5000/app", "127.0.0.1:5000/app", "127.0.0.1:5000/app"],
    [`debian@${DIGEST}`, `docker.io/library/debian@${DIGEST}`, `debian@${DIGEST}`],
    [`debian:12@${DIGEST}`, `docker.io/library/debian:12@${DIGEST}`, `debian:12@${DIGEST}`],
    ["a__b/c-d--e.f_g", "docker.io/a__b/c-d--e.f_g", "a__b/c-d--e.f_g"],
    ["x:_Tag.1-", "docker.io/library/x:_Tag.1-", "x:_Tag.1-"],
    [`x:${"t".repeat(128)}`, `docker.io/library/x:${"t".repeat(128)}`, `x:${"t".repeat(128)}`],
  ])("%s", (text, full, familiar) => {
    const reference = parseReference(text);
    expect(formatReference(reference)).toBe(full);
    expect(familiarReference(reference)).toBe(familiar);
    // Both forms mean the same image again.
    expect(parseReference(full)).toEqual(reference);
    expect(parseReference(familiar)).toEqual(reference);
  });

  test.each([
    ["", "it is empty"],
    ["Debian", "lower case"],
    ["user/App", "lower case"],
    ["de bian", "no repository"],
    ["debian:", '"" is no tag'],
    ["debian:-x", "no tag"],
    [`debian:${"t".repeat(129)}`, "no tag"],
    ["debian@sha256:12", "no digest"],
    ["debian@md5:12", "no digest"],
    ["debian@", '"" is no digest'],
    ["a//b", "no repository"],
    ["a/", "no repository"],
    ["/a", "no repository"],
    ["-a", "no repository"],
    ["a..b", "no repository"],
    ["a___b", "no repository"],
    ["host_name.org/app", "no registry"],
    ["localhost:port/app", "no registry"],
    ["http://host/app", "no registry"],
    [`${"a/".repeat(127)}ab`, "more than 255"],
    ["f".repeat(64), "an image's id"],
    ["debian\n", "no repository"],
  ])("refuses %j", (text, reason) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ code: "invalid_reference", message: expect.stringContaining(reason) }),
    );
  });
});

test("withDefaultTag adds latest where there is neither tag nor digest", () => {
  const complete = (text: string) => familiarReference(withDefaultTag(parseReference(text)));
  expect(complete("debian")).toBe("debian:latest");
  expect(complete("debian:12")).toBe("debian:12");
  expect(complete(`debian@${DIGEST}`)).toBe(`debian@${DIGEST}`);
});

test("repositories", () => {
  expect(fullRepository(parseReference("debian:12"))).toBe("docker.io/library/debian");
  expect(familiarRepository(parseReference("localhost:5000/debian:12"))).toBe("localhost:5000/debian");
});
