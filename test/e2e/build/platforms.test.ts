/* Images for other platforms than this machine's, several in one build, and their way to a registry. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { DockerRegistry } from "../../docker-registry.ts";
import { output } from "../../unprivileged-user.ts";
import { buildSuite } from "./suite.ts";

const suite = buildSuite();
let registry: DockerRegistry;
beforeAll(async () => {
  registry = await DockerRegistry.start();
});
afterAll(() => registry?.[Symbol.asyncDispose]());

/** A program for arm64 that makes the file /ran, in which its first bytes are written. */
const PROGRAM = `
.globl _start
_start:
  mov x0, #-100
  adr x1, path
  mov x2, #0x41
  mov x3, #0644
  mov x8, #56
  svc #0
  adr x1, path
  mov x2, #4
  mov x8, #64
  svc #0
  mov x0, #0
  mov x8, #93
  svc #0
path: .asciz "/ran"
`;

const ARM = ["--platform", "linux/arm64"];

function contextWithProgram(): string {
  const context = suite.context({
    "program.s": PROGRAM,
    Dockerfile: ["FROM scratch", "COPY program /", "ARG TARGETARCH", "ENV OF=$TARGETARCH", 'RUN ["/program"]', ""].join(
      "\n",
    ),
  });
  output(["aarch64-linux-gnu-as", `${context}/program.s`, "-o", `${context}/program.o`]);
  output(["aarch64-linux-gnu-ld", `${context}/program.o`, "-o", `${context}/program`]);
  chmodSync(`${context}/program`, 0o755);
  return context;
}

/*
 * Registers the emulator for a user namespace that has all ids as they are (Linux 6.7), so that nobody else sees it, and
 * becomes the words behind it. The namespace's maps are written once it says that it is there.
 */
const WITH_EMULATOR = [
  "echo here; read mapped",
  "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc",
  `printf %s ':qemu-aarch64:M::${elfBytes("7f454c46020101000000000000000000" + "0200b700")}:${elfBytes(
    "ffffffffffffff00ffffffffffffffff" + "feffffff",
  )}:/usr/bin/qemu-aarch64-static:F' >/proc/sys/fs/binfmt_misc/register`,
  'exec "$@"',
].join(" && ");

function elfBytes(hexadecimal: string): string {
  return hexadecimal.replace(/../g, "\\x$&");
}

test("commands of another platform run where there is an emulator, and are refused where there is none", async () => {
  const context = contextWithProgram();
  const refused = await suite.build(context, ARM);
  expect(refused.status).toBe(1);
  expect(refused.errors).toContain("cannot run programs for linux/arm64: no emulator for them is registered");
  expect(refused.errors).toContain("have qemu-user-static installed (Fedora's is qemu-user-static-aarch64)");

  const { user } = suite;
  const build = user.as([user.bunkerPath, "build", "--progress", "plain", ...ARM, "-t", "arm", context]);
  const child = Bun.spawn(["unshare", "--user", "--mount", "sh", "-ec", WITH_EMULATOR, "sh", ...build], {
    cwd: user.home,
    env: user.environment,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const reader = child.stdout.getReader();
  await reader.read();
  for (const map of ["uid_map", "gid_map"]) writeFileSync(`/proc/${child.pid}/${map}`, "0 0 4294967295");
  child.stdin.write("mapped\n");
  await child.stdin.end();
  const errors = await new Response(child.stderr).text();
  expect({ status: await child.exited, errors }).toMatchObject({ status: 0 });
  const inspected = await user.bunker(["image", "inspect", "--format", "{{.Architecture}} {{.Config.Env}}", "arm"]);
  expect(inspected.output).toBe("arm64 [PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin OF=arm64]\n");
  const copied = suite.context({ Dockerfile: "FROM --platform=linux/arm64 arm\n" });
  const files = `${copied}/files`;
  await suite.built(copied, [...ARM, "-o", files]);
  expect(await Bun.file(`${files}/ran`).text()).toBe("/ran");
});

test("several platforms become an index, which is pushed with all its images", async () => {
  const context = suite.context({
    Dockerfile: [
      "FROM --platform=$BUILDPLATFORM busybox AS tools",
      "ARG TARGETARCH TARGETVARIANT",
      "RUN echo $TARGETARCH $TARGETVARIANT > /which",
      "FROM scratch",
      "ARG TARGETPLATFORM",
      "COPY --from=tools /which /",
      "LABEL for=$TARGETPLATFORM",
      "",
    ].join("\n"),
  });
  const name = `${registry.host}/several:1`;
  const platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7"];
  const wanted = ["--platform", platforms.join(","), "-t", name];
  const progress = await suite.built(context, [...wanted, "--push", "--annotation", "index:of=all"]);
  expect(progress).toContain(`pushing ${name} done`);
  expect(progress).toContain("[linux/arm64 tools 2/2] RUN echo");
  const inspect = (...words: readonly string[]) =>
    JSON.parse(output(["skopeo", "inspect", "--tls-verify=false", ...words, `docker://${name}`]));
  const index = inspect("--raw");
  expect(index.annotations).toEqual({ of: "all" });
  const shown = ({ os, architecture, variant }: Record<string, string>) =>
    [os, architecture, ...(variant === undefined ? [] : [variant])].join("/");
  expect(index.manifests.map((each: { platform: Record<string, string> }) => shown(each.platform))).toEqual(platforms);
  for (const [place, platform] of platforms.entries()) {
    const [, architecture = "", variant] = platform.split("/");
    const choice = ["--override-arch", architecture, ...(variant === undefined ? [] : ["--override-variant", variant])];
    expect(inspect("--config", ...choice).config.Labels).toEqual({ for: platforms[place] });
  }
  // Files alone go to a directory for each.
  await suite.built(context, [...wanted.slice(0, 2), "-o", `${context}/files`]);
  expect(await Bun.file(`${context}/files/linux_arm_v7/which`).text()).toBe("arm v7\n");
  expect(await Bun.file(`${context}/files/linux_arm64/which`).text()).toBe("arm64\n");
  // One image may be in an index, too.
  const one = ["--build-arg", "BUILDKIT_MULTI_PLATFORM=1", "--build-arg", "BUILDKIT_BUILD_NAME=x"];
  const told = await suite.built(context, [...one, "-o", `type=oci,tar=false,dest=${context}/one`]);
  const layout = await Bun.file(`${context}/one/index.json`).json();
  expect(layout.manifests[0].mediaType).toBe("application/vnd.oci.image.index.v1+json");
  expect(told).toContain('WARNING: One or more build-args "BUILDKIT_BUILD_NAME" were not consumed');
  // A registry that takes nothing fails the push; the image is in the store.
  using closed = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("closed", { status: 403 }) });
  const elsewhere = `localhost:${closed.port}/several`;
  const refused = await suite.build(context, ["-t", elsewhere, "--push"]);
  expect(refused.status).toBe(1);
  expect(refused.errors).toMatch(/bunker: look for blob .*localhost:\d+ answers 403/);
  expect(await suite.user.bunker(["image", "exists", elsewhere])).toMatchObject({ status: 0 });
});
