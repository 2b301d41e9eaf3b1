import { join } from "node:path";

/** Repositories of a directory over HTTP, as `git http-backend` serves them; by git itself. */
export class GitServer implements Disposable {
  readonly #server: Bun.Server<undefined>;
  /** The value of `authorization` in each request. */
  readonly logins: (string | null)[] = [];

  /** @param login the only one that may read, unless everybody may */
  constructor(directory: string, login?: string) {
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        const { pathname, search } = new URL(request.url);
        const authorization = request.headers.get("authorization");
        this.logins.push(authorization);
        if (login !== undefined && authorization !== login) return new Response("", { status: 401 });
        if (pathname.startsWith("/moved/")) {
          const location = pathname.replace("/moved/", "/") + search;
          return new Response("", { status: 301, headers: { location } });
        }
        const [, repository, service] = /^\/(.*\.git)\/(info\/refs|git-upload-pack)$/.exec(pathname) ?? [];
        if (repository === undefined) return new Response("", { status: 404 });
        const protocol = request.headers.get("git-protocol") ?? "";
        const isAdvertisement = service === "info/refs";
        const options = isAdvertisement ? ["--http-backend-info-refs"] : ["--stateless-rpc"];
        const { stdout, exitCode } = Bun.spawnSync(
          ["git", "-c", "safe.directory=*", "upload-pack", ...options, join(directory, repository)],
          {
            stdin: isAdvertisement ? null : Buffer.from(await request.arrayBuffer()),
            env: { ...process.env, GIT_PROTOCOL: protocol },
            stderr: "ignore",
          },
        );
        if (exitCode !== 0) return new Response("", { status: 404 });
        const kind = isAdvertisement ? "advertisement" : "result";
        const head = isAdvertisement && !protocol.includes("2") ? "001e# service=git-upload-pack\n0000" : "";
        return new Response(Buffer.concat([Buffer.from(head), stdout]), {
          headers: { "content-type": `application/x-git-upload-pack-${kind}` },
        });
      },
    });
  }

  url(path: string): URL {
    return new URL(path, this.#server.url);
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true);
  }
}
