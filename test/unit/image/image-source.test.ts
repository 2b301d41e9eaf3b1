import { describe, expect, test } from "bun:test";
import { formatImageSource, parseImageName } from "../../../src/image/image-source.ts";
import { formatPlatform, parsePlatform } from "../../../src/image/platform.ts";

describe("image names", () => {
  test.each([
    ["oci:/a/b", { kind: "oci", path: "/a/b", tag: undefined }],
    ["oci:dir:v1", { kind: "oci", path: "dir", tag: "v1" }],
    ["oci-archive:f.tar:name:v1", { kind: "oci-archive", path: "f.tar", tag: "name:v1" }],
    ["docker-archive:f.tar", { kind: "docker-archive", path: "f.tar", tag: undefined }],
    ["docker-archive:f.tar:host:5000/name:v1", { kind: "docker-archive", path: "f.tar", tag: "host:5000/name:v1" }],
  ])("%s", (text, expected) => {
    const source = parseImageName(text);
    expect(source).toEqual(expected as typeof source);
    expect(formatImageSource(source)).toBe(text);
  });

  test.each(["alpine", "docker.io/library/alpine:3", "docker://alpine", "", "oci", "OCI:x"])("%p is none", (text) => {
    if (text === "oci") expect(() => parseImageName(text)).toThrow("the path is missing");
    else
      expect(() => parseImageName(text)).toThrow(
        /^find the image ".*": it is not the name of an image in local files$/,
      );
  });

  test.each(["oci:", "oci::tag", "oci:a:", "oci:a\0b"])("%p is incomplete", (text) => {
    expect(() => parseImageName(text)).toThrow(/missing|nothing after|NUL/);
  });
});

describe("platforms", () => {
  test.each([
    ["linux/amd64", "linux/amd64"],
    ["arm64", "linux/arm64"],
    ["Linux/x86_64", "linux/amd64"],
    ["linux/armhf", "linux/arm/v7"],
    ["linux/arm/v6", "linux/arm/v6"],
  ])("%s", (text, expected) => expect(formatPlatform(parsePlatform(text))).toBe(expected));

  test.each(["", "linux/", "a/b/c/d", "linux/amd 64"])("%p is none", (text) => {
    expect(() => parsePlatform(text)).toThrow("is not of the form OS/ARCHITECTURE[/VARIANT]");
  });
});
