import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { humanSize } from "../../../src/cli/format/human-size.ts";
import type { BlobDescriptor } from "../../../src/image/store/stored-image.ts";
import { storeImages } from "../../fixtures/stored-images.ts";
import { pack } from "../../unit/image/image-builder.ts";
import { archive } from "../../unit/image/tar-builder.ts";
import { UnprivilegedUser } from "../../unprivileged-user.ts";

setDefaultTimeout(60_000);

const base = pack(archive([{ name: "base", content: Buffer.alloc(3000) }]));
const top = pack(archive([{ name: "top", content: "x".repeat(100) }]));
const sizes = {
  base: humanSize(base.bytes.length),
  top: humanSize(top.bytes.length),
  both: humanSize(base.bytes.length + top.bytes.length),
};
const WEB = "registry.example.com:5000/team/web:1.0";
const DAY = 24 * 60 * 60 * 1000;
const daysAgo = (days: number) => new Date(Date.now() - days * DAY).toISOString();

let user: UnprivilegedUser;
let debian: BlobDescriptor;
let web: BlobDescriptor;
beforeAll(() => {
  // Building the executable may take longer than a test.
  user = new UnprivilegedUser();
}, 300_000);
afterAll(() => user[Symbol.dispose]());

beforeEach(() => {
  rmSync(user.data, { recursive: true, force: true });
  const [first, second] = storeImages(user, [
    {
      names: ["docker.io/library/debian:12", "docker.io/library/debian:latest"],
      layers: [base],
      configuration: {
        created: daysAgo(21),
        config: { Cmd: ["bash"], Env: ["PATH=/bin"] },
        history: [
          { created: daysAgo(21), created_by: `/bin/sh -c #(nop) ADD file:${"0".repeat(64)} in /` },
          { created: daysAgo(21), created_by: '/bin/sh -c #(nop)\n\tCMD ["bash"]', empty_layer: true, comment: "last" },
        ],
      },
    },
    {
      names: ["registry.example.com:5000/team/web:1.0"],
      layers: [base, top],
      configuration: {
        created: daysAgo(3),
        author: "somebody",
        config: {
          Labels: { "com.example.team": "a b", empty: "" },
          ExposedPorts: { "80/tcp": {} },
          Healthcheck: { Test: ["CMD", "true"], Interval: 30_000_000_000 },
        },
      },
    },
  ]);
  if (first === undefined || second === undefined) throw new Error("unexpected");
  debian = first;
  web = second;
});

async function ok(...words: string[]): Promise<string> {
  const { status, output, errors } = await user.bunker(words);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  return output;
}

/** What an image's id begins with, as lists show it. */
const idOf = async (name: string) => (await ok("images", "-q", name)).split("\n")[0] ?? "";

describe("images", () => {
  test("has a row for each name, the latest image first", async () => {
    const output = await ok("images");
    expect(output.replace(/\b[0-9a-f]{12}\b/g, "0123456789ab")).toBe(
      [
        "REPOSITORY                           TAG       IMAGE ID       CREATED       SIZE",
        `registry.example.com:5000/team/web   1.0       0123456789ab   3 days ago    ${sizes.both}`,
        `debian                               12        0123456789ab   3 weeks ago   ${sizes.base}`,
        `debian                               latest    0123456789ab   3 weeks ago   ${sizes.base}`,
        "",
      ].join("\n"),
    );
  });

  test.each([
    [["debian"], ["debian:12", "debian:latest"]],
    [["debian:12"], ["debian:12"]],
    [
      ["debian:1*", "-f", "reference=debian:l*"],
      ["debian:12", "debian:latest"],
    ],
    [["deb*:l*"], ["debian:latest"]],
    [["nothing"], []],
    [["-f", "label=com.example.team"], ["registry.example.com:5000/team/web:1.0"]],
    [["-f", "label=com.example.team=a"], []],
    [
      ["-f", "before=registry.example.com:5000/team/web:1.0"],
      ["debian:12", "debian:latest"],
    ],
    [["-f", "since=debian"], ["registry.example.com:5000/team/web:1.0"]],
    [
      ["-f", "until=240h"],
      ["debian:12", "debian:latest"],
    ],
    [["-f", "reference=*:5000/team/*"], ["registry.example.com:5000/team/web:1.0"]],
    [["-f", "after=debian", "-f", "containers=false", "-f", "readonly=false"], [WEB]],
    [["-f", "containers=true"], []],
    [
      ["-f", "label!=empty"],
      ["debian:12", "debian:latest"],
    ],
    [
      ["-f", "reference=debian:12", "-f", "reference=debian:latest"],
      ["debian:12", "debian:latest"],
    ],
    [["-f", "dangling=true"], []],
    [["-f", "dangling!=true", "-f", "reference!=web", "-f", "reference!=debian:12"], [WEB]],
    [
      ["-f", "since!=debian", "-f", "readonly!=true", "-f", "containers!=true"],
      ["debian:12", "debian:latest"],
    ],
    [["-f", "intermediate=true"], []],
    [["-f", "intermediate=false", "-f", "after=debian"], [WEB]],
  ])("%j", async (words, names) => {
    const output = await ok("images", "--format", "{{.Repository}}:{{.Tag}}", ...words);
    expect(output.split("\n").slice(0, -1).sort()).toEqual(names);
  });

  test.each([
    ["created", [WEB, "debian:12", "debian:latest"]],
    ["repository", ["debian:12", "debian:latest", WEB]],
    ["size", ["debian:12", "debian:latest", WEB]],
    ["tag", [WEB, "debian:12", "debian:latest"]],
  ])("are sorted by %s", async (order, names) => {
    const output = await ok("images", "--format", "{{.Repository}}:{{.Tag}}", "--sort", order);
    expect(output.split("\n").slice(0, -1)).toEqual(names);
  });

  test.each([
    ["dangling=maybe", "expected true or false"],
    ["since=", "expected an image"],
    ["reference!=[", "syntax error in pattern"],
    ["until=x", "expected a duration"],
  ])("are not filtered by %s", async (filter, reason) => {
    const { status, output, errors } = await user.bunker(["images", "-f", filter]);
    expect({ status, output }).toEqual({ status: 1, output: "" });
    expect(errors).toContain(`filter by ${filter}: ${reason}`);
  });

  test("have Podman's fields for templates, and Docker's JSON", async () => {
    const template = "{{.Id}} {{.Names}} {{.Dangling}} {{.ReadOnly}} {{.Created}} {{.Labels.empty}} {{.Os}}/{{.Arch}}";
    const id = (await ok("images", "-q", "--no-trunc", WEB)).trim().replace("sha256:", "");
    expect(await ok("images", "--format", template, WEB)).toBe(`${id} [${WEB}] false false 3 days ago  linux/amd64\n`);
    expect(await ok("images", "--format", "table {{.Id}}\t{{.Names}}", WEB)).toMatch(
      /^IMAGE ID +NAMES\n[0-9a-f]{64} +\[/,
    );
    expect(Object.keys(JSON.parse(await ok("images", "--format", "json", WEB)))).not.toContain("Names");
    expect(await ok("history", "--format", "{{.Tags}} {{.Created}}", WEB)).toStartWith(`[${WEB}] `);
  });

  test("shows digests, whole ids, and JSON", async () => {
    expect(await ok("images", "--digests")).toMatch(/^REPOSITORY +TAG +DIGEST +IMAGE ID +CREATED +SIZE\n/);
    expect(await ok("images", "--digests", "debian:12")).toContain(debian.digest);
    expect(await ok("images", "--format", "{{.Digest}}", "debian:12")).toBe(`${debian.digest}\n`);
    expect(await ok("images", "-q", "--no-trunc", "debian")).toMatch(/^(sha256:[0-9a-f]{64})\n\1\n$/);
    const [line = ""] = (await ok("images", "--format", "json", "debian")).split("\n");
    expect(JSON.parse(line)).toMatchObject({
      Repository: "debian",
      Tag: "12",
      CreatedSince: "3 weeks ago",
      Containers: "0",
    });
    expect(Object.keys(JSON.parse(line))).toEqual(Object.keys(JSON.parse(line)).sort());
    // With four digits, as in Docker.
    expect(await ok("images", "--format", "{{.SharedSize}} {{.UniqueSize}}", "*/team/web")).toBe("4.608kB 2.048kB\n");
  });

  test("shows the names that an image has had", async () => {
    await ok("tag", "debian:12", "once:1");
    await ok("rmi", "once:1");
    expect(await ok("images", "--history", "debian:12")).toMatch(
      /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE +HISTORY\n.*once:1, debian:latest, debian:12\n$/,
    );
    expect(await ok("images", "--format", "{{.History}}", "debian:12")).toStartWith("once:1, ");
  });

  test("with an empty format or filter does as without one", async () => {
    const table = await ok("images");
    expect(await ok("images", "--format", "")).toBe(table);
    expect(await ok("images", "--format", "{{.ID}}", "--format=")).toBe(table);
    expect(await ok("images", "--filter", "")).toBe(table);
    expect(await ok("images", "-f", "", "-f", "reference=debian:12", "-q")).toBe(`${await idOf("debian:12")}\n`);
    for (const words of [["image", "inspect", "debian"], ["inspect", "debian"], ["version"]]) {
      expect(await ok(...words, "--format", "")).toBe(await ok(...words));
    }
  });

  test("draws a tree of platforms", async () => {
    const output = (await ok("images", "--tree")).replace(/\b[0-9a-f]{12}\b/g, "0123456789ab");
    expect(output).toMatch(/^IMAGE +ID +DISK USAGE +CONTENT SIZE\n/);
    expect(output).toMatch(
      /\nregistry\.example\.com:5000\/team\/web:1\.0 +0123456789ab +\S+B +\S+B\n└─ linux\/amd64 +0123456789ab/,
    );
    expect(output).toMatch(/\ndebian:12 +\ndebian:latest +0123456789ab/);
  });

  test.each([
    [["-f", "lable=x"], 1, /filter by lable=x: expected after, before, .*did you mean label\?/],
    [["-f", "dangling"], 125, /invalid value "dangling" for --filter: expected KEY=VALUE/],
    [["-f", "dangling=perhaps"], 1, /filter by dangling=perhaps: expected true or false/],
    [["-f", "before=nothing"], 1, /nothing: no such image/],
    [["--format", "{{.Tga}}"], 1, /can't evaluate field Tga in type struct\nhint: Did you mean \.Tag\?/],
    [["--format", "{{.ID"], 64, /template parsing error: template: :1: unclosed action/],
  ])("images %j fails", async (words, status, message) => {
    const outcome = await user.bunker(["images", ...words]);
    expect(outcome.errors).toMatch(message);
    expect(outcome).toMatchObject({ status, output: "" });
  });
});

describe("image inspect", () => {
  test("shows Docker's JSON", async () => {
    const [shown, ...others] = JSON.parse(
      await ok("image", "inspect", "registry.example.com:5000/team/web:1.0"),
    ) as object[];
    expect(others).toEqual([]);
    expect(shown).toMatchObject({
      Id: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      RepoTags: ["registry.example.com:5000/team/web:1.0"],
      RepoDigests: [`registry.example.com:5000/team/web@${web.digest}`],
      Created: expect.stringMatching(/^\d{4}-.*Z$/),
      Author: "somebody",
      Architecture: "amd64",
      Os: "linux",
      Size: base.bytes.length + top.bytes.length,
      Config: {
        Labels: { "com.example.team": "a b", empty: "" },
        ExposedPorts: { "80/tcp": {} },
        Healthcheck: { Test: ["CMD", "true"], Interval: 30_000_000_000 },
        Cmd: null,
        Volumes: null,
      },
      RootFS: { Type: "layers", Layers: [base.diffId, top.diffId] },
    });
  });

  test.each([
    ["{{.Config.Cmd}} {{.Config.Env}} {{.Config.Entrypoint}} {{.Config.Labels}}", "[bash] [PATH=/bin] [] map[]\n"],
    ["{{json .Config.Cmd}} {{json .Config.Labels}} {{json .Config.Entrypoint}}", '["bash"] null null\n'],
    ["{{.Os}}/{{.Architecture}} {{len .RootFS.Layers}}", "linux/amd64 1\n"],
    ['{{index .RepoTags 1}} {{join .Config.Env ";"}}', "debian:latest PATH=/bin\n"],
    ["{{range .RepoTags}}{{println .}}{{end}}", "debian:12\ndebian:latest\n\n"],
    ['{{index .Config.Labels "missing"}}|', "|\n"],
  ])("--format %s", async (format, output) => {
    expect(await ok("image", "inspect", "-f", format, "debian")).toBe(output);
  });

  test("tells when the image last got a name", async () => {
    const lastTagTime = async () => {
      const text = await ok("image", "inspect", "-f", "{{json .Metadata.LastTagTime}}", "debian:12");
      return Date.parse(JSON.parse(text));
    };
    const came = await lastTagTime();
    await ok("tag", "debian:12", "debian:later");
    const later = await lastTagTime();
    expect(later).toBeGreaterThan(came);
    await ok("untag", "debian:12", "debian:later");
    expect(await lastTagTime()).toBe(later);
  });

  test("of the latest container says that there is none", async () => {
    const { errors, status } = await user.bunker(["inspect", "--latest"]);
    expect({ errors, status }).toEqual({ errors: expect.stringMatching(/^bunker: .*no container/), status: 1 });
  });

  test("shows what there is, and fails for what is not", async () => {
    const outcome = await user.bunker(["image", "inspect", "--format", "{{index .RepoTags 0}}", "nothing", "debian"]);
    expect(outcome).toMatchObject({ status: 1, output: "debian:12\n" });
    expect(outcome.errors).toBe("bunker: find the image nothing: no such image\n");
    expect(await user.bunker(["image", "inspect", "nothing"])).toMatchObject({ status: 1, output: "[]\n" });
  });
});

describe("history", () => {
  test("shows the steps, the last first", async () => {
    const output = await ok("history", "debian");
    const [header, last, first, ...rest] = output.split("\n");
    expect(header).toMatch(/^IMAGE +CREATED +CREATED BY +SIZE +COMMENT$/);
    expect(last).toMatch(/^[0-9a-f]{12} +3 weeks ago +\/bin\/sh -c #\(nop\) {2}CMD \["bash"\] +0B +last$/);
    expect(first).toMatch(
      new RegExp(`^<missing> +3 weeks ago +/bin/sh -c #\\(nop\\) ADD file:0{17}… +${sizes.base} +$`),
    );
    expect(rest).toEqual([""]);
  });

  test("for programs", async () => {
    expect(await ok("history", "-q", "debian")).toBe(`${await idOf("debian:12")}\n<missing>\n`);
    const format = "{{.CreatedBy}}|{{.Size}}|{{.CreatedAt}}";
    const output = await ok("history", "-H=false", "--no-trunc", "--format", format, "debian");
    expect(await ok("history", "-H=false", "debian")).toMatch(/^IMAGE +CREATED AT +CREATED BY +SIZE +COMMENT\n/);
    expect(output).toMatch(
      /^\/bin\/sh -c #\(nop\)\n\tCMD \["bash"\]\|0\|\d{4}-\d\d-\d\dT.*\n.*ADD file:0{64} in \/\|\d+\|.*\n$/,
    );
  });

  test("of an image that says nothing has its layers", async () => {
    const output = await ok("history", "--format", "{{.ID}} {{.CreatedSince}} {{.Size}}", WEB);
    expect(output).toBe(`${await idOf(WEB)} N/A ${sizes.top}\n<missing> N/A ${sizes.base}\n`);
  });
});

describe("tag and rmi", () => {
  test("an image gets several names at once, and loses those that are named, or all", async () => {
    expect(await ok("tag", "debian", "a:1", "a:2", "b")).toBe("");
    expect(await ok("untag", "debian", "a:2", "b")).toBe("");
    expect((await user.bunker(["image", "untag", "debian", "debian:12", "a:2"])).errors).toBe(
      "bunker: take away the name a:2: it is not a name of the image debian\n",
    );
    const id = await idOf("debian:12");
    expect(await ok("images", "-n", "-f", `id=${id}`, "--format", "table {{.Repository}}:{{.Tag}}")).toBe(
      "a:1\ndebian:12\ndebian:latest\n",
    );
    expect(await ok("untag", "debian")).toBe("");
    expect(await ok("images", "--format", "{{.Repository}}:{{.Tag}}", "-f", `digest=${debian.digest}`)).toBe(
      "debian:<none>\n",
    );
  });

  test("all go with --all, and what is missing may be ignored", async () => {
    await ok("tag", "debian", "other/name");
    await ok("manifest", "create", "list", "debian");
    expect(await ok("rmi", "-i", "nothing")).toBe("");
    expect((await user.bunker(["rmi", "--all", "debian"])).errors).toBe(
      "bunker: --all and images exclude each other\n",
    );
    const output = await ok("rmi", "--all");
    for (const name of ["list:latest", "debian:12", "other/name:latest", WEB]) {
      expect(output).toContain(`Untagged: ${name}\n`);
    }
    expect(await ok("images", "-aq")).toBe("");
    expect(readdirSync(`${user.data}/blobs/sha256`)).toEqual([]);
  });

  test("names come and go, and the image goes with the last", async () => {
    expect(await ok("tag", "debian", "mine:new")).toBe("");
    expect(await ok("image", "tag", (await idOf("debian")).slice(0, 8), "localhost/x")).toBe("");
    expect((await ok("images", "-q", "mine")).trim()).toBe(await idOf("debian:12"));
    expect(await ok("rmi", "mine:new", "localhost/x")).toBe("Untagged: mine:new\nUntagged: localhost/x:latest\n");
    expect(await ok("rmi", "debian:12")).toBe("Untagged: debian:12\n");
    const id = await ok("images", "-q", "--no-trunc", "debian");
    expect(await ok("image", "rm", "debian")).toBe(
      `Untagged: debian:latest\nUntagged: debian@${debian.digest}\nDeleted: ${id}`,
    );
    expect(await ok("image", "ls", "-q")).toMatch(/^[0-9a-f]{12}\n$/);
  });

  test("what is wrong is said, and the rest is done", async () => {
    const outcome = await user.bunker(["rmi", "nothing", "debian:12"]);
    expect(outcome).toEqual({
      status: 1,
      output: "Untagged: debian:12\n",
      errors: "bunker: find the image nothing: no such image\n",
    });
    expect(await user.bunker(["rmi", "-f", "nothing"])).toMatchObject({ status: 0 });
    expect(await user.bunker(["tag", "nothing", "x"])).toMatchObject({ status: 1, output: "" });
    expect((await user.bunker(["tag", "debian", `x@${debian.digest}`])).errors).toContain(
      "refusing to create a tag with a digest reference",
    );
    expect((await user.bunker(["tag", "debian", "Upper"])).errors).toContain("repository names are in lower case");
    expect((await user.bunker(["tag", "debian"])).errors).toContain("bunker tag needs TARGET_IMAGE[:TAG]");
  });

  test("exists tells by its status", async () => {
    expect(await user.bunker(["image", "exists", "debian"])).toEqual({ status: 0, output: "", errors: "" });
    expect(await user.bunker(["image", "exists", "nothing"])).toEqual({ status: 1, output: "", errors: "" });
  });

  test("tree shows layers and what else ends with them", async () => {
    const [id, tags, , ...layers] = (await ok("image", "tree", WEB)).split("\n");
    expect(id).toBe(`Image ID: ${await idOf(WEB)}`);
    expect(tags).toBe(`Tags:     [${WEB}]`);
    expect(layers.join("\n")).toMatch(
      /^Image Layers\n├── ID: [0-9a-f]{12} Size: \S+ Top Layer of: \[debian:12 debian:latest\]\n└── ID: [0-9a-f]{12} Size: \S+ Top Layer of: \[registry\.example\.com:5000\/team\/web:1\.0\]\n$/,
    );
    const [, , , , ...above] = (await ok("image", "tree", "--whatrequires", "debian")).split("\n");
    expect(above.map((line) => line.replace(/ID: [0-9a-f]{12} Size: \S+/, "ID"))).toEqual([
      "└── ID Top Layer of: [debian:12 debian:latest]",
      `    └── ID Top Layer of: [${WEB}]`,
      "",
    ]);
  });
});

describe("image prune", () => {
  const blob = (digest: string) => existsSync(`${user.data}/blobs/${digest.replace(":", "/")}`);

  test("asks, and takes anything but yes for no", async () => {
    for (const input of ["", "n\n", "x\n", "yes please\n"]) {
      const outcome = await user.bunker(["image", "prune", "-a"], { input });
      expect(outcome.errors).toBe("bunker: image prune has been cancelled\n");
      expect(outcome.output).not.toContain("Total");
      expect(outcome.status).toBe(0);
    }
    const { output, status } = await user.bunker(["image", "prune"], { input: "y\n" });
    expect(output).toBe(
      "WARNING! This will remove all dangling images.\nAre you sure you want to continue? [y/N] Total reclaimed space: 0B\n",
    );
    expect(status).toBe(0);
    expect(blob(debian.digest)).toBe(true);
  });

  test("removes images without a name", async () => {
    await ok("tag", "registry.example.com:5000/team/web:1.0", "debian:12");
    await ok("tag", "registry.example.com:5000/team/web:1.0", "debian:latest");
    for (const filter of ["dangling=true", "intermediate=true"]) {
      expect(await ok("images", "-f", filter, "--format", "{{.Repository}}:{{.Tag}}")).toBe("debian:<none>\n");
    }
    const output = await ok("image", "prune", "-f");
    expect(output).toMatch(
      new RegExp(
        `^Deleted Images:\nuntagged: debian@${debian.digest}\ndeleted: sha256:[0-9a-f]{64}\n\nTotal reclaimed space: \\S+B\n$`,
      ),
    );
    expect(blob(debian.digest)).toBe(false);
    expect(blob(web.digest)).toBe(true);
  });

  test("removes all images that are not used, as far as the filters want", async () => {
    expect(await ok("image", "prune", "-af", "--filter", "label=com.example.team=other")).toBe(
      "Total reclaimed space: 0B\n",
    );
    expect(await ok("image", "prune", "-af", "--filter", "until=240h")).toContain(
      "untagged: debian:12\nuntagged: debian:latest\n",
    );
    expect(await ok("image", "prune", "-af", "--filter", "label!=com.example.team")).toBe(
      "Total reclaimed space: 0B\n",
    );
    expect(await ok("image", "prune", "-af")).toContain("untagged: registry.example.com:5000/team/web:1.0\n");
    expect(await ok("images", "-q")).toBe("");
    expect(blob(web.digest)).toBe(false);
  });
});

describe("system df", () => {
  test("counts layers once", async () => {
    const output = await ok("system", "df");
    expect(output).toBe(
      [
        "TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE",
        `Images          2         0         ${humanSize(base.bytes.length + top.bytes.length, 4)}   ${humanSize(base.bytes.length + top.bytes.length, 4)} (100%)`,
        "Containers      0         0         0B        0B",
        "Local Volumes   0         0         0B        0B",
        "Build Cache     0         0         0B        0B",
        "",
      ].join("\n"),
    );
    const lines = (await ok("system", "df", "--format", "json")).trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).Type)).toEqual([
      "Images",
      "Containers",
      "Local Volumes",
      "Build Cache",
    ]);
  });

  test("shows everything", async () => {
    const output = await ok("system", "df", "-v");
    expect(output).toMatch(
      /^Images space usage:\n\nREPOSITORY +TAG +IMAGE ID +CREATED +SIZE +SHARED SIZE +UNIQUE SIZE +CONTAINERS\n/,
    );
    expect(output).toMatch(
      /\n\nContainers space usage:\n\nCONTAINER ID +IMAGE +COMMAND +LOCAL VOLUMES +SIZE +CREATED +STATUS +NAMES\n\nLocal Volumes space usage:\n\nVOLUME NAME +LINKS +SIZE\n\nBuild cache usage:\n\nCACHE ID +CACHE TYPE +SIZE +CREATED +LAST USED +USAGE +SHARED\n$/,
    );
    expect(await ok("system", "df", "-v", "--format", "{{range .Images}}{{.Tag}} {{end}}")).toBe("1.0 12 latest \n");
  });
});
