/* Where the result of a build goes, and what is said about the Dockerfile besides. */
import { expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { buildSuite } from "./suite.ts";

const suite = buildSuite();

/** A build that has something of each kind in its image. */
function context(): string {
  return suite.context({
    Dockerfile: [
      "FROM busybox AS files",
      "RUN mkdir -p /out/d && echo text > /out/d/file && chown 5:6 /out/d/file && chmod 4755 /out/d/file && ln -s d/file /out/link && mkfifo /out/fifo",
      "FROM scratch AS alone",
      "COPY --from=files /out /",
      "FROM busybox",
      "COPY --from=files /out /out",
      "LABEL of=file",
      "",
    ].join("\n"),
  });
}

test("writes archives of images that can be loaded, packed as is wanted", async () => {
  const directory = suite.user.makeDirectory("archives");
  const outputs = [
    `type=oci,dest=${directory}/oci.tar,compression=zstd,compression-level=1`,
    `type=docker,dest=${directory}/docker.tar,compression=uncompressed`,
    "type=image,name=stored",
  ];
  const options = [...outputs.flatMap((output) => ["-o", output]), "-t", "packed:1", "--label", "of=option"];
  await suite.built(context(), options);
  for (const name of ["oci", "docker"]) {
    const { output } = await suite.user.bunker(["load", "-i", `${directory}/${name}.tar`]);
    expect(output).toContain("packed:1");
    expect(await suite.inside("packed:1", "stat -c '%a %u:%g' /out/d/file; cat /out/link")).toBe("4755 5:6\ntext\n");
    const format = ["image", "inspect", "--format", "{{.Config.Labels.of}}", "packed:1"];
    expect(await suite.user.bunker(format)).toMatchObject({ output: "option\n" });
  }
  const { output } = await suite.user.bunker(["images", "-q", "--no-trunc"]);
  expect(new Set(output.trim().split("\n")).size).toBeGreaterThan(1);
});

test("writes the files alone, to a directory and as an archive", async () => {
  const directory = suite.user.makeDirectory("files");
  const about = ["--iidfile", `${directory}/id`, "--metadata-file", `${directory}/json`];
  const built = await suite.built(context(), ["--target", "alone", "-o", `${directory}/out`, ...about]);
  expect(["id", "json"].map((name) => readFileSync(`${directory}/${name}`, "utf8"))).toEqual(["", "{}\n"]);
  expect(built).toContain("fifo is neither file, directory nor link, and was left out");
  expect(readdirSync(`${directory}/out`).sort()).toEqual(["d", "link"]);
  expect(readFileSync(`${directory}/out/d/file`, "utf8")).toBe("text\n");
  expect(lstatSync(`${directory}/out/d/file`)).toMatchObject({ uid: suite.user.uid, gid: suite.user.gid });
  expect(readlinkSync(`${directory}/out/link`)).toBe("d/file");
  const { status } = await suite.build(context(), ["--target", "alone", "-o", `type=tar,dest=${directory}/out.tar`]);
  expect(status).toBe(0);
  const listing = Bun.spawnSync(["tar", "-tvf", `${directory}/out.tar`, "--numeric-owner"]).stdout.toString();
  expect(listing).toMatch(/^-rwsr-xr-x 5\/6 +5 .* (?:\.\/)?d\/file$/m);
  expect(listing).toMatch(/^prw-r--r-- .*fifo$/m);
});

test("makes one layer of what the steps have made", async () => {
  const directory = suite.context({
    Dockerfile: [
      "FROM busybox AS base",
      "RUN mkdir -p /old/sub /kept /turned && touch /old/1 /old/sub/2 /kept/3 /kept/4 /turned/5 && ln -s /old /link",
      "FROM base",
      "RUN rm -r /old /kept/3 /turned /link && mkdir /old /link && touch /old/new /turned /passing",
      "RUN rm -r /passing /old && mkdir -p /old/sub && touch /old/sub/6 && chmod 700 /kept && ln /kept/4 /kept/again",
      "COPY --link file /old/linked/",
      "ENV A=1",
      "RUN rm /bin/wget",
      "",
    ].join("\n"),
    file: "",
  });
  await suite.built(directory, ["-t", "onbase", "--target", "base", "--rm", "--force-rm"]);
  const onBase = (words: string) => suite.context({ Dockerfile: `FROM onbase\n${words}`, file: "" });
  const { stdout } = Bun.spawnSync(["sed", "1,3d", join(directory, "Dockerfile")]);
  const context = onBase(stdout.toString());
  const look =
    "find / -mindepth 1 -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /etc \\) -prune -o -exec stat -c '%n %f %u %g %Y' {} + | sort; stat -c %h /kept/again";
  await suite.built(context, ["-t", "several"]);
  await suite.built(context, ["-t", "squashed", "--squash", "--cache-to", "type=inline"]);
  expect(await suite.inside("squashed", look)).toBe(await suite.inside("several", look));
  const inspect = async (format: string, name: string) =>
    (await suite.user.bunker(["image", "inspect", "--format", format, name])).output.trim();
  const layers = async (name: string) => JSON.parse(await inspect("{{json .RootFS.Layers}}", name));
  const below = await layers("onbase");
  expect((await layers("squashed")).slice(0, -1)).toEqual(below);
  expect(await layers("several")).toHaveLength(below.length + 4);
  const { output } = await suite.user.bunker(["history", "--format", "{{.Size}} {{.Comment}}", "squashed"]);
  expect(output.split("\n").slice(0, 3)).toEqual([
    expect.stringMatching(/ merge of 4 layers$/),
    "0B buildkit.dockerfile.v0",
    "0B buildkit.dockerfile.v0",
  ]);
  await suite.built(context, ["-t", "whole", "--squash-all"]);
  expect(await suite.inside("whole", look)).toBe(await suite.inside("several", look));
  expect(await layers("whole")).toHaveLength(1);
  await suite.built(suite.context({ Dockerfile: "FROM onbase\n" }), ["-t", "onbase:whole", "--squash-all"]);
  expect(await layers("onbase:whole")).toHaveLength(1);
  const refused = await suite.build(context, ["--rm=false"]);
  expect(refused).toMatchObject({ status: 125, errors: expect.stringContaining("container is gone with it") });
});

test("says what it has made", async () => {
  const directory = suite.user.makeDirectory("about");
  const options = ["-q", "-t", "about", "--iidfile", join(directory, "id"), "--metadata-file", join(directory, "json")];
  const { output, errors, status } = await suite.build(context(), options);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  expect(readFileSync(join(directory, "id"), "utf8")).toBe(output.trim());
  expect(JSON.parse(readFileSync(join(directory, "json"), "utf8"))).toMatchObject({
    "containerimage.config.digest": output.trim(),
    "containerimage.digest": expect.stringMatching(/^sha256:/),
    "image.name": "docker.io/library/about:latest",
  });
});

test("says beside an image how it was built", async () => {
  const layout = join(suite.user.makeDirectory("provenance"), "layout");
  const outputs = ["-o", `type=oci,tar=false,dest=${layout}`, "-o", "type=image"];
  await suite.built(context(), ["-t", "proven", "--provenance", "mode=max", "--build-arg", "A=1", ...outputs]);
  const read = (digest: string) => JSON.parse(readFileSync(join(layout, "blobs", digest.replace(":", "/")), "utf8"));
  const [{ digest }] = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")).manifests;
  const [image, about] = read(digest).manifests;
  expect(about).toMatchObject({
    annotations: {
      "vnd.docker.reference.digest": image.digest,
      "vnd.docker.reference.type": "attestation-manifest",
    },
    platform: { architecture: "unknown", os: "unknown" },
  });
  const [layer] = read(about.digest).layers;
  const { predicate, subject } = read(layer.digest);
  expect(layer.annotations).toEqual({ "in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2" });
  expect(`sha256:${subject[0].digest.sha256}`).toBe(image.digest);
  expect(predicate.invocation.parameters.args).toEqual({ "build-arg:A": "1" });
  expect(predicate.materials[0].uri).toStartWith("pkg:docker/busybox@latest?");
  expect(await suite.inside("proven", "cat /out/d/file")).toBe("text\n");
  const { status, errors } = await suite.build(context(), ["--sbom", "true"]);
  expect({ status, errors }).toMatchObject({
    status: 125,
    errors: expect.stringContaining("Bunker lists no packages"),
  });
});

test("checks a Dockerfile", async () => {
  const directory = suite.context({
    Dockerfile: "FROM busybox AS one\nMAINTAINER me\n",
    "strict.Dockerfile": "# check=error=true\nFROM busybox\nMAINTAINER me\n",
    "wrong.Dockerfile": "FROM busybox\nRUNN true\n",
  });
  const checked = await suite.build(directory, ["--check"]);
  expect(checked).toMatchObject({ status: 0, errors: "" });
  expect(checked.output).toMatch(
    /^WARNING: MaintainerDeprecated - .*\n(?:.*\n)*Check complete, 1 warning has been found!\n$/,
  );
  expect(await suite.built(directory)).toMatch(/^ - MaintainerDeprecated: .* \(line 2\)$/m);
  const strict = await suite.build(directory, ["-f", join(directory, "strict.Dockerfile")]);
  expect(strict.status).toBe(1);
  expect(strict.errors).toContain("   3 | >>> MAINTAINER me\n");
  expect(strict.errors).not.toContain("FROM docker.io");
  const wrong = await suite.build(directory, ["-f", join(directory, "wrong.Dockerfile")]);
  expect(wrong).toMatchObject({ status: 1, output: "" });
  expect(wrong.errors).toMatch(/ {3}2 \| >>> RUNN true\n-+\nbunker: .*did you mean RUN\?/);
});

test("gives commands secrets that are in no layer, and what was permitted", async () => {
  const directory = suite.context({
    Dockerfile: [
      "FROM busybox",
      "RUN --mount=type=secret,id=file,target=/s,mode=0400 --mount=type=secret,id=word,env=WORD cat /s > /copy && echo $WORD >> /copy && stat -c '%a %u' /s",
      'RUN --network=none test -z "$(ls /sys/class/net | grep -v lo)"',
      "RUN --mount=type=secret,id=missing test ! -e /run/secrets/missing",
      "",
    ].join("\n"),
    secret: "of file\n",
    "needy.Dockerfile": "FROM busybox\nRUN --mount=type=secret,id=missing,required true\n",
    "host.Dockerfile": "FROM busybox\nRUN --network=host true\n",
  });
  const secrets = ["--secret", `id=file,src=${directory}/secret`, "--secret", "id=word,env=A_WORD"];
  const progress = await suite.built(directory, [...secrets, "-t", "secrets"], {
    environment: { A_WORD: "of environment" },
  });
  expect(progress).toMatch(/^#\d+ \S+ 400 0$/m);
  expect(await suite.inside("secrets", "cat /copy; ls -d /s /run/secrets 2>/dev/null || echo none")).toBe(
    "of file\nof environment\nnone\n",
  );
  const needy = await suite.build(directory, ["-f", join(directory, "needy.Dockerfile")]);
  expect(needy.errors).toContain("bunker: mount secret missing: it is required, and was not given\nhint: ");
  const host = await suite.build(directory, ["-f", join(directory, "host.Dockerfile")]);
  expect(host).toMatchObject({ status: 1, errors: expect.stringContaining("--allow network.host") });
  await suite.built(directory, ["-f", join(directory, "host.Dockerfile"), "--allow", "network.host"]);
});

test("describes a Dockerfile instead of building it", async () => {
  const directory = suite.context({
    Dockerfile: [
      ...[
        "# VERSION is what is built on",
        "ARG VERSION=1",
        "ARG UNUSED",
        "# tools has what is needed",
        "FROM busybox:$VERSION AS tools",
      ],
      ...[
        "ARG GREETING",
        "# LEVEL says how much",
        "ARG LEVEL=$GREETING-3",
        "FROM scratch AS unwanted",
        "ARG NOT_HERE",
        "",
      ],
      ...["# final is what runs", "FROM tools AS final", "ENV A=1", "ARG B=$A"],
      "RUN --mount=type=secret,id=token,required --mount=type=ssh --mount=type=cache,target=/c,id=c$LEVEL true",
      "FROM final",
      "",
    ].join("\n"),
  });
  const call = async (what: string, ...options: string[]) => {
    const { status, output, errors } = await suite.build(directory, ["--call", what, ...options]);
    expect({ status, errors }).toEqual({ status: 0, errors: "" });
    return output;
  };
  expect(await call("targets")).toBe(
    [
      "TARGET    DESCRIPTION",
      "tools     has what is needed",
      "unwanted",
      "final     is what runs",
      "(default)",
      "",
    ].join("\n"),
  );
  const given = ["--target", "final", "--build-arg", "GREETING=hello"];
  expect(await call("outline", ...given)).toBe(
    [
      ...["TARGET:      final", "DESCRIPTION: is what runs", ""],
      ...["BUILD ARG   VALUE     DESCRIPTION", "VERSION     1         is what is built on", "GREETING    hello"],
      ...["LEVEL       hello-3   says how much", "B           1", ""],
      ...["SECRET   REQUIRED", "token    true", "", "SSH       REQUIRED", "default", "", "CACHE ID", "chello-3", ""],
    ].join("\n"),
  );
  const document = JSON.parse(await call("outline,format=json", ...given));
  expect(document).toMatchObject({
    name: "final",
    args: [{ name: "VERSION", value: "1" }, { name: "GREETING" }, { name: "LEVEL" }, { name: "B" }],
    secrets: [{ name: "token", required: true, location: { ranges: [{ start: { line: 16 }, end: { line: 16 } }] } }],
    ssh: [{ name: "default" }],
    cache: [{ ID: "chello-3" }],
  });
  expect(Buffer.from(document.sources[0], "base64").toString()).toBe(
    readFileSync(join(directory, "Dockerfile"), "utf8"),
  );
  expect(JSON.parse(await call("targets,format=json")).targets[0]).toMatchObject({ name: "tools", base: "busybox:1" });
  const { warnings } = JSON.parse(await call("check,format=json"));
  expect(warnings).toEqual([]);
  expect((await suite.build(directory, ["--call", "outlin"])).errors).toContain("did you mean outline?");
});
