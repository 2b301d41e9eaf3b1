/*
 * Debian's docker-registry on loopback, one for each test file: plain, with basic authentication, with TLS by a
 * certificate of a private authority. It takes a free port, and the directory it stores in goes with it.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { output } from "./unprivileged-user.ts";

export interface DockerRegistrySettings {
  /** Who may use it, with which password; everybody without one unless given. */
  readonly users?: Readonly<Record<string, string>>;
  /** Whether it speaks TLS; plain HTTP unless given. */
  readonly tls?: boolean;
  /** Further hosts that its certificate is for. */
  readonly hosts?: readonly string[];
}

/** A certificate authority of the tests' own and a certificate by it for `localhost` and 127.0.0.1, as files in PEM. */
export interface PrivateAuthority {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** Makes a certificate authority and a certificate in a directory, which is for further hosts, too. */
export function makePrivateAuthority(directory: string, hosts: readonly string[] = []): PrivateAuthority {
  const path = (name: string) => join(directory, name);
  const [authority, certificate, key] = [path("ca.crt"), path("server.crt"), path("server.key")];
  const openssl = (...words: readonly string[]) => output(["openssl", ...words]);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-subj",
    "/CN=Bunker test authority",
    "-keyout",
    path("ca.key"),
    "-out",
    authority,
  );
  openssl("req", ...newKey, "-subj", "/CN=localhost", "-keyout", key, "-out", path("request"));
  writeFileSync(path("names"), `subjectAltName=${["localhost", ...hosts].map((host) => `DNS:${host}`)},IP:127.0.0.1\n`);
  const signed = ["-in", path("request"), "-extfile", path("names"), "-out", certificate];
  openssl("x509", "-req", ...signed, "-CA", authority, "-CAkey", path("ca.key"), "-CAcreateserial");
  return { authority, certificate, key };
}

/** A running registry; stopped, and its directory removed, when it is disposed of. */
export class DockerRegistry implements AsyncDisposable {
  /** `127.0.0.1:PORT`, or `localhost:PORT` with TLS. */
  readonly host: string;
  /** The authority that vouches for it, in PEM; undefined without TLS. */
  readonly authority: string | undefined;
  /** Where it stores and what it was configured with. */
  readonly directory: string;
  readonly #process: Bun.Subprocess;

  private constructor(directory: string, authority: string | undefined, port: string, process: Bun.Subprocess) {
    this.directory = directory;
    this.authority = authority;
    this.host = `${authority === undefined ? "127.0.0.1" : "localhost"}:${port}`;
    this.#process = process;
  }

  /** Starts one and waits until it listens. */
  static async start({ users, tls = false, hosts }: DockerRegistrySettings = {}): Promise<DockerRegistry> {
    const directory = mkdtempSync(join(tmpdir(), "bunker-registry-"));
    try {
      const certificates = tls ? makePrivateAuthority(directory, hosts) : undefined;
      mkdirSync(join(directory, "storage"));
      writeFileSync(join(directory, "config.json"), JSON.stringify(configuration(directory, users, certificates)));
      const log = join(directory, "log");
      // It dies with the process that runs the tests, however that ends. A pipe would fill while that waits for others.
      const process = Bun.spawn(
        ["setpriv", "--pdeathsig", "KILL", "--", "docker-registry", "serve", join(directory, "config.json")],
        { stdin: "ignore", stdout: "ignore", stderr: Bun.file(log) },
      );
      const port = await listeningPort(process, log);
      return new DockerRegistry(directory, certificates?.authority, port, process);
    } catch (error) {
      rmSync(directory, { recursive: true });
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
    rmSync(this.directory, { recursive: true });
  }
}

/** Its configuration; it reads YAML, of which JSON is a part. */
function configuration(
  directory: string,
  users: DockerRegistrySettings["users"],
  certificates: PrivateAuthority | undefined,
): object {
  const passwords = join(directory, "htpasswd");
  if (users !== undefined) {
    const lines = Object.entries(users).map(([name, word]) => output(["htpasswd", "-nbB", "-C", "4", name, word]));
    writeFileSync(passwords, lines.map((line) => line.trim()).join("\n"));
  }
  return {
    version: 0.1,
    log: { level: "info", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, "storage") }, delete: { enabled: true } },
    http: {
      addr: "127.0.0.1:0",
      secret: "of the tests",
      ...(certificates === undefined ? {} : { tls: { certificate: certificates.certificate, key: certificates.key } }),
    },
    ...(users === undefined ? {} : { auth: { htpasswd: { realm: "tests", path: passwords } } }),
  };
}

/** Waits until the registry has said where it listens. */
async function listeningPort(process: Bun.Subprocess, log: string): Promise<string> {
  for (;;) {
    const hasEnded = process.exitCode !== null || process.signalCode !== null;
    const said = readFileSync(log, "utf8");
    const [, port] = /listening on 127\.0\.0\.1:(\d+)/.exec(said) ?? [];
    if (port !== undefined) return port;
    if (hasEnded) throw new Error(`docker-registry did not start:\n${said}`);
    await Bun.sleep(5);
  }
}
