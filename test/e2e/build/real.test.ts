/*
 * What people build: programs from Debian's packages, which come through the network of RUN, and programs from source in
 * several stages. All of Debian's packages are installed by one RUN, which is what takes long. Each image is also built by
 * buildah and has to be the same, and is then run.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, rmSync } from "node:fs";
import { debianImages } from "../../fixtures/images.ts";
import { Buildah } from "./buildah.ts";
import { comparable, readImage } from "./image-on-disk.ts";
import { buildSuite } from "./suite.ts";

const suite = buildSuite();
let buildah: Buildah;

const PACKAGES = `FROM debian:bookworm
ENV DEBIAN_FRONTEND=noninteractive
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=tmpfs,target=/var/lib/apt/lists <<EOF
set -e
apt-get -q update
apt-get -q install -y --no-install-recommends -o Dpkg::Options::=--force-unsafe-io \\
  apache2 ecj emacs-nox gcc libc6-dev openjdk-17-jre-headless postgresql
EOF
`;

beforeAll(async () => {
  const copied = await suite.user.bunker(["copy", "-q", `${debianImages().gzip}:latest`, "debian:bookworm"]);
  expect(copied).toMatchObject({ status: 0 });
  const packed = "compression=zstd,compression-level=1";
  const outputs = ["image,name=packages", `oci,tar=false,dest=${suite.user.directory}/data/packages`];
  await suite.built(
    suite.context({ Dockerfile: PACKAGES }),
    outputs.flatMap((each) => ["-o", `type=${each},${packed}`]),
  );
  buildah = await Buildah.start({ packages: `oci:${suite.user.directory}/data/packages` });
}, 600_000);

afterAll(() => buildah?.[Symbol.dispose]());

/**
 * Builds an image, which has to be as buildah builds it.
 * @param below how many layers of it are another image's
 * @param differing files whose content no two builds have in common
 */
async function builtAsThere(context: string, tag: string, below: number, differing?: RegExp): Promise<void> {
  const result = `${suite.user.directory}/data/${tag}`;
  const [there] = await Promise.all([
    buildah.build(context, [], below),
    suite.built(context, ["-t", tag, "--load", "-o", `type=oci,tar=false,compression=uncompressed,dest=${result}`]),
  ]);
  const here = readImage(result, below);
  rmSync(result, { recursive: true });
  expect(comparable(here, { differing })).toEqual(comparable(there, { differing }));
}

/** Keeps lines: `put WORDS`, and `take`, which waits for the next. */
const QUEUE = `
import java.io.*;
import java.net.*;
import java.util.concurrent.*;

public class Queue {
  public static void main(String[] words) throws Exception {
    var lines = new LinkedBlockingQueue<String>();
    try (var server = new ServerSocket(Integer.parseInt(words[0]))) {
      for (;;) {
        var socket = server.accept();
        new Thread(() -> {
          try (var input = new BufferedReader(new InputStreamReader(socket.getInputStream()));
               var output = new PrintStream(socket.getOutputStream(), true)) {
            for (String line; (line = input.readLine()) != null;) {
              if (line.startsWith("put ")) lines.put(line.substring(4));
              else output.println(lines.take());
            }
          } catch (IOException | InterruptedException end) {
          }
        }).start();
      }
    }
  }
}
`;

/** Does something while a container runs. */
async function withContainer(image: string, work: (name: string) => Promise<void>) {
  expect(await suite.user.bunker(["run", "-d", "--name", `${image}-1`, image])).toMatchObject({ status: 0 });
  try {
    await work(`${image}-1`);
  } finally {
    await suite.user.bunker(["rm", "-f", "-v", `${image}-1`]);
  }
}

describe("an image", () => {
  test.each([
    [
      "apache2",
      [
        'LABEL description="A web server" Vendor="ACME Products"',
        "ENV APACHE_RUN_USER=www-data APACHE_RUN_GROUP=www-data APACHE_LOG_DIR=/var/log/apache2",
        "RUN a2enmod -q headers && sed -i 's/^Listen 80$/Listen 8080/' /etc/apache2/ports.conf",
        "COPY --chown=www-data site/ /var/www/html/",
        "EXPOSE 8080",
        "HEALTHCHECK CMD apache2ctl -t",
        'ENTRYPOINT ["/usr/sbin/apache2ctl"]',
        'CMD ["-D", "FOREGROUND"]',
      ],
    ],
    [
      "httpd",
      [
        "MAINTAINER A Person <person@example.org>",
        "RUN echo Listen 8080 > /etc/apache2/ports.conf",
        'VOLUME ["/var/www/html", "/var/log/apache2"]',
        "ADD site/index.html /var/www/html/index.html",
        "EXPOSE 8080",
        "CMD exec apache2ctl -D FOREGROUND",
      ],
    ],
  ] as const)("of %s serves a page", async (name, instructions) => {
    const context = suite.context({
      Dockerfile: ["FROM packages", ...instructions].join("\n"),
      "site/index.html": "<h1>Hello</h1>\n",
    });
    await builtAsThere(context, name, 2);
    await withContainer(name, async (container) => {
      const connect = "until { exec 3<>/dev/tcp/127.0.0.1/8080; } 2>/dev/null; do :; done";
      const ask = `${connect}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
      const { output: answer } = await suite.user.bunker(["exec", container, "bash", "-c", ask]);
      expect(answer).toStartWith("HTTP/1.1 200 OK");
      expect(answer).toEndWith("<h1>Hello</h1>\n");
    });
  });

  test("of a queue in Java takes in and gives out, and has no compiler", async () => {
    const context = suite.context({
      Dockerfile: [
        "FROM packages AS build",
        "WORKDIR /source",
        "COPY Queue.java .",
        "RUN ecj -17 -proc:none -d /classes Queue.java",
        "FROM packages",
        "ENV JAVA_OPTIONS=-Xmx64m",
        "RUN dpkg --remove --force-depends ecj && rm -rf /var/log/*",
        "COPY --from=build /classes /opt/queue",
        "WORKDIR /opt/queue",
        "USER nobody",
        "EXPOSE 6000",
        'ENTRYPOINT ["/bin/sh", "-c", "exec java $JAVA_OPTIONS Queue \\"$@\\"", "queue"]',
        'CMD ["6000"]',
      ].join("\n"),
      "Queue.java": QUEUE,
    });
    await builtAsThere(context, "queue", 2);
    await withContainer("queue", async (container) => {
      const connect = "until { exec 3<>/dev/tcp/127.0.0.1/6000; } 2>/dev/null; do :; done";
      const ask = `${connect}; printf 'put one\\nput two\\ntake\\ntake\\n' >&3; head -n 2 <&3; type ecj 2>&1`;
      const { output: answer } = await suite.user.bunker(["exec", container, "bash", "-c", ask]);
      expect(answer).toMatch(/^one\ntwo\n.*not found\n$/);
    });
  });

  test("of Emacs knows its user's functions", async () => {
    const context = suite.context({
      Dockerfile: [
        "FROM packages",
        "RUN useradd -m -s /bin/bash writer",
        "USER writer",
        "ENV HOME=/home/writer TERM=xterm",
        "WORKDIR /home/writer",
        "COPY --chown=writer:writer emacs.d .emacs.d",
        "RUN emacs --batch -f batch-byte-compile .emacs.d/own.el",
        'VOLUME ["/home/writer/texts"]',
        'ENTRYPOINT ["emacs"]',
        'CMD ["-nw"]',
      ].join("\n"),
      "emacs.d/own.el": '(defun own-greeting (name) (concat "Hello " name))\n(provide \'own)\n',
    });
    await builtAsThere(context, "emacs", 2);
    const words = ["--batch", "-L", ".emacs.d", "-l", "own", "--eval", "(princ (own-greeting user-login-name))"];
    expect(await suite.user.run(["emacs", ...words])).toMatchObject({ status: 0, output: "Hello writer" });
  });

  test("of PostgreSQL answers a query", async () => {
    const context = suite.context({
      Dockerfile: [
        "FROM packages",
        "ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/data",
        "RUN install -d -o postgres -m 700 $PGDATA",
        "USER postgres",
        "WORKDIR /var/lib/postgresql",
        "RUN initdb --auth=trust >log && echo \"listen_addresses = 'localhost'\" >>$PGDATA/postgresql.conf",
        "COPY --chown=postgres schema.sql .",
        "RUN pg_ctl start -w && createdb queue && psql -q -f schema.sql queue && pg_ctl stop",
        "VOLUME /backup",
        "EXPOSE 5432",
        "STOPSIGNAL SIGINT",
        'CMD ["postgres"]',
      ].join("\n"),
      "schema.sql": "CREATE TABLE jobs (id serial, what text);\nINSERT INTO jobs (what) VALUES ('one'), ('two');\n",
    });
    await builtAsThere(context, "database", 2, /^data\//);
    await withContainer("database", async (name) => {
      const ask = "until pg_isready -q; do :; done; psql -At -c 'SELECT count(*), max(what) FROM jobs' queue";
      const { output, errors } = await suite.user.bunker(["exec", name, "bash", "-c", ask]);
      expect({ output, errors }).toEqual({ output: "2|two\n", errors: "" });
    });
  });

  test("of a C program has that alone in it", async () => {
    const context = suite.context({
      Dockerfile: [
        "FROM packages AS build",
        "ARG CFLAGS=-O2",
        "WORKDIR /src",
        "COPY *.c .",
        "RUN gcc $CFLAGS -static -o /hello hello.c",
        "FROM scratch",
        "COPY --from=build /hello /",
        'ENTRYPOINT ["/hello"]',
        'CMD ["world"]',
      ].join("\n"),
      "hello.c": '#include <stdio.h>\nint main(int count, char **words) { printf("hello %s\\n", words[1]); }\n',
    });
    await builtAsThere(context, "hello", 0);
    expect(await suite.user.run(["hello"])).toMatchObject({ status: 0, output: "hello world\n" });
    expect(await suite.user.run(["hello", "you"])).toMatchObject({ output: "hello you\n" });
  });

  test("of a TypeScript program is tested and bundled in stages of their own", async () => {
    const context = suite.context({
      Dockerfile: [
        "FROM packages AS bun",
        "COPY --chmod=755 bun /usr/local/bin/",
        "WORKDIR /app",
        "COPY package.json .",
        "FROM bun AS source",
        "COPY src src",
        "FROM source AS test",
        "RUN bun test && touch /passed",
        "FROM source AS bundle",
        "RUN bun build --target=bun --minify --outfile=/bundle.js src/main.ts",
        "FROM bun",
        "COPY --from=test /passed /passed",
        "COPY --from=bundle /bundle.js .",
        "USER nobody",
        'CMD ["bun", "bundle.js"]',
      ].join("\n"),
      "package.json": '{ "name": "sum", "type": "module" }\n',
      "src/sum.ts": "export const sum = (...numbers: number[]) => numbers.reduce((one, other) => one + other, 0);\n",
      "src/sum.test.ts":
        'import { expect, test } from "bun:test";\nimport { sum } from "./sum";\ntest("sum", () => expect(sum(1, 2)).toBe(3));\n',
      "src/main.ts": 'import { sum } from "./sum";\nconsole.log(sum(1, 2, 3), process.getuid?.());\n',
    });
    copyFileSync(process.execPath, `${context}/bun`);
    await builtAsThere(context, "sum", 2);
    expect(await suite.user.run(["sum"])).toMatchObject({ status: 0, output: "6 65534\n" });
  });
});
