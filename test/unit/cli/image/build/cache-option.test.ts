import { expect, test } from "bun:test";
import { parseCacheDestination, parseCacheSource } from "../../../../../src/cli/image/build/cache-option.ts";

test("reads where a cache is taken from", () => {
  expect(parseCacheSource("app,localhost:5000/app:cache")).toEqual([
    { type: "registry", name: "docker.io/library/app:latest" },
    { type: "registry", name: "localhost:5000/app:cache" },
  ]);
  const digest = `sha256:${"0".repeat(64)}`;
  expect(parseCacheSource(`type=local,src=/c,digest=${digest}`)).toEqual([
    { type: "local", directory: "/c", tag: "latest", digest } as ReturnType<typeof parseCacheSource>[number],
  ]);
});

test("reads where a cache is written to", () => {
  expect(parseCacheDestination("app")).toEqual({
    ...{ type: "registry", name: "docker.io/library/app:latest", mode: "min", compression: "gzip", level: undefined },
    ...{ forcesCompression: false, mediaTypes: "oci", isImage: true, ignoresErrors: false },
  });
  const options = "mode=max,compression=zstd,compression-level=3,force-compression=true,ignore-error=true";
  expect(parseCacheDestination(`type=local,dest=c,tag=v1,oci-mediatypes=false,${options}`)).toEqual({
    ...{ type: "local", directory: "c", tag: "v1", mode: "max", compression: "zstd", level: 3 },
    ...{ forcesCompression: true, mediaTypes: "docker", isImage: false, ignoresErrors: true },
  });
  expect(parseCacheDestination("type=inline")).toEqual({ type: "inline" });
});

test("says what is wrong", () => {
  for (const service of ["gha", "s3", "azblob"]) {
    expect(() => parseCacheSource(`type=${service}`)).toThrow(`Bunker keeps no cache in ${service}`);
  }
  expect(() => parseCacheSource("type=local")).toThrow("needs src=");
  expect(() => parseCacheSource("type=registry,mode=max")).toThrow('no key "mode"');
  expect(() => parseCacheSource("type=local,src=c,digest=x")).toThrow("expected a digest");
  expect(() => parseCacheDestination("type=registri,ref=x")).toThrow("did you mean registry?");
  expect(() => parseCacheDestination("type=registry,ref=x,mod=max")).toThrow("did you mean mode?");
  expect(() => parseCacheDestination("type=inline,mode=max")).toThrow("mode=min");
  expect(() => parseCacheDestination("type=registry,ref=x,oci-mediatypes=false,image-manifest=true")).toThrow(
    "needs oci",
  );
  expect(() => parseCacheDestination("type=registry,ref=UPPER")).toThrow();
});
