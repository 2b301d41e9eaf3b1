/*
 * A temporary directory with all that the benchmarks need: the same busybox as an OCI image, in Podman's storage, as a
 * directory and as a bundle; and a home for every program, so that none meets what a user has configured or stored.
 */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { runToEnd } from "./measure.ts";

const BUSYBOX = "/bin/busybox";

export class Workplace implements Disposable {
  readonly directory: string;
  readonly bunker: string;
  readonly environment: Readonly<Record<string, string>>;
  /** A directory with busybox. */
  readonly rootfs: string;
  /** The name of the image, in Bunker's words. */
  readonly image: string;
  #usedPodman = false;

  /**
   * @param bunker the executable's path
   * @param directory an empty directory; a temporary one unless given
   */
  constructor(bunker: string, directory = mkdtempSync(join(tmpdir(), "bunker-bench-"))) {
    this.bunker = bunker;
    this.directory = directory;
    this.rootfs = join(directory, "rootfs");
    this.image = `oci:${join(directory, "layout")}:bench`;
    this.environment = {
      PATH: `${process.env["PATH"]}:/usr/sbin:/sbin`,
      HOME: this.#make("home"),
      XDG_RUNTIME_DIR: this.#make("runtime"),
      TMPDIR: this.#make("tmp"),
      CONTAINERS_CONF: join(this.directory, "containers.conf"),
      CONTAINERS_STORAGE_CONF: join(this.directory, "storage.conf"),
    };
    const bin = this.#make("rootfs/bin");
    for (const name of ["dev", "etc", "proc", "sys", "tmp"]) this.#make(`rootfs/${name}`);
    copyFileSync(BUSYBOX, join(bin, "busybox"));
    for (const name of ["dd", "sh", "sleep", "true"]) symlinkSync("busybox", join(bin, name));
  }

  #make(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path, { recursive: true });
    chmodSync(path, name.startsWith("rootfs") ? 0o755 : 0o700);
    return path;
  }

  run(...command: readonly string[]): string {
    return runToEnd({ command, environment: this.environment });
  }

  /**
   * The same for a command whose streams something keeps that goes on: nobody could read them to their end.
   * @throws Error with its exit status
   */
  runUnread(...command: readonly string[]): void {
    const { success, exitCode } = Bun.spawnSync([...command], {
      env: this.environment,
      stdio: ["ignore", "ignore", "ignore"],
    });
    if (!success) throw new Error(`${command.join(" ")}: exit status ${exitCode}`);
  }

  /**
   * The same beside others.
   * @throws Error with what it said
   */
  async runBeside(...command: readonly string[]): Promise<void> {
    const child = Bun.spawn([...command], { env: this.environment, stdio: ["ignore", "ignore", "pipe"] });
    const errors = await new Response(child.stderr).text();
    if ((await child.exited) !== 0) throw new Error(`${command.join(" ")}: exit status ${child.exitCode}\n${errors}`);
  }

  /** Makes the image of busybox. */
  makeImage(): void {
    const image = `${join(this.directory, "layout")}:bench`;
    this.run("umoci", "init", "--layout", join(this.directory, "layout"));
    this.run("umoci", "new", "--image", image);
    this.run("umoci", "insert", "--rootless", "--image", image, this.rootfs, "/");
  }

  /** Makes Podman usable, with a storage of its own. */
  configurePodman(): void {
    writeFileSync(
      join(this.directory, "containers.conf"),
      '[containers]\ncgroups = "disabled"\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "crun"\n',
    );
    // Otherwise Debian's Podman copies every layer, and every container's root, unless there is fuse-overlayfs.
    const storage = ["graphroot", "runroot"].map((name) => `${name} = "${this.#make(`home/podman/${name}`)}"`);
    writeFileSync(join(this.directory, "storage.conf"), ["[storage]", 'driver = "overlay"', ...storage, ""].join("\n"));
    this.#usedPodman = true;
  }

  /** Puts the image into Podman's storage, where it is called `localhost/bench`. */
  preparePodman(): void {
    this.configurePodman();
    const archive = join(this.directory, "image.tar");
    this.run("skopeo", "--insecure-policy", "copy", this.image, `docker-archive:${archive}:localhost/bench:latest`);
    this.run("podman", "load", "--input", archive);
  }

  /**
   * Writes a bundle of busybox with all ids that the user has.
   * @param args of the container's process
   * @returns the bundle's directory
   */
  makeBundle(name: string, args: readonly string[]): string {
    const bundle = this.#make(name);
    const { uid, gid } = userInfo();
    const user = this.run("id", "--user", "--name").trim();
    const mappings = (file: string, own: number) => {
      const line = readFileSync(file, "utf8")
        .split("\n")
        .find((text) => text.startsWith(`${user}:`));
      const [, first, size] = line?.split(":") ?? [];
      if (size === undefined) throw new Error(`${user} has no subordinate ids in ${file}`);
      return [
        { containerID: 0, hostID: own, size: 1 },
        { containerID: 1, hostID: Number(first), size: Number(size) },
      ];
    };
    this.run("runc", "spec", "--rootless", "--bundle", bundle);
    const file = join(bundle, "config.json");
    const specification = JSON.parse(readFileSync(file, "utf8"));
    specification.root.path = this.rootfs;
    Object.assign(specification.process, { args, terminal: false });
    Object.assign(specification.linux, {
      uidMappings: mappings("/etc/subuid", uid),
      gidMappings: mappings("/etc/subgid", gid),
      namespaces: ["pid", "ipc", "uts", "mount", "user", "network"].map((type) => ({ type })),
    });
    writeFileSync(file, JSON.stringify(specification));
    return bundle;
  }

  [Symbol.dispose](): void {
    if (this.#usedPodman) this.#removePodman();
    // Files of containers may belong to subordinate ids.
    this.run("unshare", "--user", "--map-root-user", "--map-auto", "--", "rm", "-rf", join(this.directory, "home"));
    rmSync(this.directory, { recursive: true });
  }

  /** Podman leaves a process that holds its namespaces. Its images go with the directory, which is quicker. */
  #removePodman(): void {
    this.run("podman", "rm", "--all", "--force");
    this.run("podman", "system", "migrate");
  }
}
