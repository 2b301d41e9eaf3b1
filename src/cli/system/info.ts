import { readFileSync } from "node:fs";
import { arch, cpus, hostname, release, totalmem } from "node:os";
import { controllersOf, isUnified } from "../../cgroup/group.ts";
import { planContainerGroup } from "../../cgroup/group-plan.ts";
import { dataDirectory } from "../../engine/data-directory.ts";
import { listContainers } from "../../engine/lifecycle/find-container.ts";
import { openContainers } from "../../engine/state/containers.ts";
import { proxyVariable } from "../../image/registry/http/proxy.ts";
import { openImageStore } from "../../image/store/image-store.ts";
import { VERSION } from "../build.ts";
import { defineCommand } from "../command.ts";
import { inspectFormatOption } from "../format/format-option.ts";
import { toJson } from "../format/template/to-json.ts";
import { NIL_SLICE, type Structure } from "../format/template/value.ts";
import { executeTemplate, readTemplate } from "../format/user-template.ts";
import { print } from "../print.ts";
import { LOG_DRIVERS } from "../values/life-values.ts";
import { DEVICE_DIRECTORIES } from "../values/named-devices.ts";

/** `bunker system info`. */
export const info = defineCommand(
  { options: { format: inspectFormatOption }, required: [], failureStatus: 1 },
  ({ options: { format } }) => {
    const facts = collect();
    if (format === "json") print(toJson(facts, 0));
    else if (format !== undefined) print(executeTemplate(readTemplate(format), facts));
    else for (const [title, value] of lines(facts)) print(` ${title}: ${value}`);
    return 0;
  },
);

function collect() {
  const data = dataDirectory();
  using database = openContainers(data);
  using store = openImageStore(data);
  const containers = listContainers(database, data);
  const count = (...statuses: readonly string[]) => containers.filter(({ status }) => statuses.includes(status)).length;
  return {
    Containers: containers.length,
    ContainersRunning: count("running", "restarting"),
    ContainersPaused: count("paused"),
    ContainersStopped: count("created", "exited", "dead", "removing"),
    Images: store.list().length,
    Driver: "overlay",
    LoggingDriver: "json-file",
    KernelVersion: release(),
    OperatingSystem: osRelease("PRETTY_NAME") ?? "Linux",
    OSType: "linux",
    Architecture: arch() === "x64" ? "x86_64" : "aarch64",
    NCPU: cpus().length,
    MemTotal: totalmem(),
    DockerRootDir: data,
    Name: hostname(),
    ServerVersion: VERSION,
    DefaultRuntime: "bunker",
    CDISpecDirs: [...DEVICE_DIRECTORIES],
    IndexServerAddress: "https://index.docker.io/v1/",
    LiveRestoreEnabled: true,
    SystemTime: new Date().toISOString(),
    Swarm: { LocalNodeState: "inactive" },
    Warnings: NIL_SLICE,
    OSVersion: osRelease("VERSION_ID") ?? "",
    Debug: process.env["BUNKER_DEBUG"] === "1",
    ExperimentalBuild: false,
    Isolation: "",
    Labels: [],
    HttpProxy: shownProxy("HTTP_PROXY"),
    HttpsProxy: shownProxy("HTTPS_PROXY"),
    NoProxy: proxyVariable(process.env, "NO_PROXY"),
    Plugins: {
      Volume: ["local"],
      Network: ["bridge"],
      Authorization: NIL_SLICE,
      Log: [...LOG_DRIVERS],
    },
    Runtimes: { bunker: { path: process.execPath } },
    DriverStatus: [["Native Overlay Diff", "true"]],
    ...cgroupFacts(),
    SecurityOptions: ["name=seccomp,profile=builtin", ...(process.geteuid?.() === 0 ? [] : ["name=rootless"])],
  } satisfies Structure;
}

/** Who makes the cgroups of containers, and which of their limits are only kept by watching because nobody does. */
function cgroupFacts() {
  const plan = planContainerGroup({ mode: "enabled" });
  const { kind } = plan;
  const uid = process.geteuid?.() ?? 0;
  const group = {
    // Of the systemd that is asked.
    scope: uid === 0 ? "/" : `/user.slice/user-${uid}.slice/user@${uid}.service`,
    path: plan.kind === "path" ? plan.parent : "/",
    missing: undefined,
  }[kind];
  const controllers = group === undefined ? [] : controllersOf(group);
  const [hasMemory, hasProcessor, hasSets, hasPids] = ["memory", "cpu", "cpuset", "pids"].map((controller) =>
    controllers.includes(controller),
  );
  return {
    CgroupDriver: { scope: "systemd", path: "cgroupfs", missing: "none" }[kind],
    CgroupVersion: isUnified() ? "2" : "1",
    MemoryLimit: hasMemory,
    SwapLimit: hasMemory,
    CpuCfsPeriod: hasProcessor,
    CpuCfsQuota: hasProcessor,
    CPUShares: hasProcessor,
    CPUSet: hasSets,
    PidsLimit: hasPids,
    // v2 has no such thing.
    OomKillDisable: false,
    SoftLimits: kind === "missing" ? ["memory", "cpus", "pids"] : [],
  };
}

/** A proxy of the environment, as Docker shows it: who may use it is nobody's business. */
function shownProxy(name: "HTTPS_PROXY" | "HTTP_PROXY"): string {
  return proxyVariable(process.env, name).replace(/^([^/@]*\/\/)?[^/]*@/, "$1xxxxx:xxxxx@");
}

function lines(facts: ReturnType<typeof collect>): readonly (readonly [title: string, value: string | number])[] {
  return [
    ["Containers", facts.Containers],
    ["  Running", facts.ContainersRunning],
    ["  Paused", facts.ContainersPaused],
    ["  Stopped", facts.ContainersStopped],
    ["Images", facts.Images],
    ["Version", facts.ServerVersion],
    ["Storage Driver", facts.Driver],
    ["Logging Driver", facts.LoggingDriver],
    ["Log Drivers", facts.Plugins.Log.join(", ")],
    ["Cgroup Driver", facts.CgroupDriver],
    ["Cgroup Version", facts.CgroupVersion],
    ["Limits Kept By Watching Only", facts.SoftLimits.join(", ") || "none"],
    ["Security Options", facts.SecurityOptions.join(", ")],
    ["Kernel Version", facts.KernelVersion],
    ["Operating System", facts.OperatingSystem],
    ["Architecture", facts.Architecture],
    ["CPUs", facts.NCPU],
    ["Total Memory", `${(facts.MemTotal / 2 ** 30).toFixed(2)}GiB`],
    ["Name", facts.Name],
    ["Data Directory", facts.DockerRootDir],
  ];
}

function osRelease(name: "PRETTY_NAME" | "VERSION_ID"): string | undefined {
  try {
    return new RegExp(`^${name}="?([^"\n]*)`, "m").exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  } catch {
    return undefined;
  }
}
