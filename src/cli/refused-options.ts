/*
 * Options of Docker and Podman that Bunker cannot have, with the reason and what to do instead. They are in no table of
 * options and in no help; whoever types one is told more than that it is unknown. Loaded only then.
 */
import { BunkerError } from "../sys/error.ts";

/** Why there is no such option, and what else there is. */
interface Refusal {
  readonly reason: string;
  readonly hint: string;
}

const WINDOWS: Refusal = {
  reason: "it is about containers of Windows",
  hint: "Leave it out.",
};

const NO_PODS: Refusal = {
  reason: "Bunker has no pods",
  hint: "Containers share a network by --network container:NAME.",
};

const ONE_MAP: Refusal = {
  reason: "all containers of a user have one map of ids, by which their files are stored",
  hint: "--userns keep-id[:uid=UID,gid=GID] maps the caller to an id of choice.",
};

const CHECKPOINTS: Refusal = {
  reason: "checkpoints need CRIU, which only root of the host may run",
  hint: "bunker commit keeps a container's files.",
};

const SWARM: Refusal = {
  reason: "it is about volumes of a Swarm cluster",
  hint: "Leave it out; volumes are this machine's.",
};

const ONE_ADDRESS: Refusal = {
  reason: "containers have one address of each kind",
  hint: "--ip and --ip6 choose it on a network of yours.",
};

const OF_NEW_CONTAINERS: Readonly<Record<string, Refusal>> = {
  "conmon-pidfile": {
    reason: "there is no conmon: each container has a supervisor of Bunker's",
    hint: "--pidfile FILE has the pid of the container's first process.",
  },
  "cpu-count": WINDOWS,
  "cpu-percent": WINDOWS,
  "decryption-key": {
    reason: "Bunker does not decrypt images",
    hint: "Decrypt it first with a tool that does.",
  },
  gidmap: ONE_MAP,
  gpus: {
    reason: "Bunker does not bring a GPU's drivers into containers",
    hint: "Give it the devices and the drivers' files: --device /dev/dri, -v /usr/lib/…:/usr/lib/…:ro",
  },
  "init-path": {
    reason: "the init of --init is a part of Bunker",
    hint: "Leave it out.",
  },
  "io-maxbandwidth": WINDOWS,
  "io-maxiops": WINDOWS,
  isolation: WINDOWS,
  "link-local-ip": ONE_ADDRESS,
  pod: NO_PODS,
  "pod-id-file": NO_PODS,
  "rdt-class": {
    reason: "only root of the host may divide its caches",
    hint: "Leave it out.",
  },
  runtime: {
    reason: "Bunker runs containers itself",
    hint: "Leave it out.",
  },
  sdnotify: {
    reason: "Bunker tells systemd nothing of a container's start",
    hint: "Use a unit of Type=exec, or of Type=forking with --pidfile.",
  },
  secret: {
    reason: "Bunker keeps no secrets",
    hint: "Mount a file: -v FILE:/run/secrets/NAME:ro",
  },
  "storage-opt": {
    reason: "only root of the host may set quotas",
    hint: "--read-only with --tmpfs DIRECTORY:size=BYTES bounds what a container writes.",
  },
  subgidname: ONE_MAP,
  subuidname: ONE_MAP,
  uidmap: ONE_MAP,
  "use-api-socket": {
    reason: "there is no server whose socket a container could be given",
    hint: "Leave it out.",
  },
};

const SWARM_NETWORK: Refusal = {
  reason: "it is about networks of a Swarm cluster",
  hint: "Leave it out; networks are this machine's.",
};

const OF_NETWORKS: Readonly<Record<string, Refusal>> = {
  "config-from": SWARM_NETWORK,
  "config-only": SWARM_NETWORK,
  ingress: SWARM_NETWORK,
  "interface-name": {
    reason: "a network has no device on the host that could be named",
    hint: "Devices in containers are named by -o com.docker.network.container_iface_prefix=PREFIX, or each by --network NAME:interface_name=…",
  },
  "ipam-opt": {
    reason: "Bunker chooses addresses itself, and has no options for it",
    hint: "--subnet, --ip-range, --gateway and --aux-address say which ones there are.",
  },
};

const OF_PLACES_ON_NETWORKS: Readonly<Record<string, Refusal>> = {
  "link-local-ip": ONE_ADDRESS,
};

const NO_DEBUGGING: Refusal = {
  reason: "there is no log for debugging",
  hint: "--progress plain shows all that commands write.",
};

const ONE_PLATFORM_OPTION: Refusal = {
  reason: "platforms are named whole",
  hint: "Give --platform OS/ARCHITECTURE[/VARIANT].",
};

const BUILDERS_MAP: Refusal = {
  reason: "commands run with the map of ids by which the files of images are stored",
  hint: "Leave it out.",
};

const NO_VOLUMES: Refusal = {
  reason: "the build cache would not know what commands find there",
  hint: "Write RUN --mount=type=bind or type=cache into the Dockerfile.",
};

const OF_BUILDS: Readonly<Record<string, Refusal>> = {
  "all-platforms": { reason: "platforms are named", hint: "Give --platform linux/amd64,linux/arm64." },
  arch: ONE_PLATFORM_OPTION,
  creds: { reason: "a build may ask several registries", hint: "Log in by bunker login." },
  D: NO_DEBUGGING,
  debug: NO_DEBUGGING,
  device: {
    reason: "commands have no devices of the host but by their own word",
    hint: "RUN --security=insecure with --allow security.insecure has those that you may use.",
  },
  env: { reason: "variables are the Dockerfile's", hint: "Write ENV NAME=$NAME behind an ARG, and give --build-arg." },
  from: { reason: "base images are the Dockerfile's", hint: "Write ARG BASE and FROM $BASE, and give --build-arg." },
  logfile: { reason: "the progress is on standard error", hint: "Send it to a file: --progress plain 2>FILE" },
  manifest: { reason: "an index is made by one build", hint: "Give all its platforms: --platform …,… -t NAME" },
  os: ONE_PLATFORM_OPTION,
  policy: { reason: "Bunker evaluates no policies of buildx", hint: "What a build may do is said by --allow." },
  "skip-unused-stages": { reason: "stages that the target does not need are never built", hint: "Leave it out." },
  "squash-all": {
    reason: "--squash makes one layer of what is added to the base",
    hint: "A stage of FROM scratch and COPY --from=STAGE / / makes one of all.",
  },
  stream: { reason: "the context is read where it is", hint: "Leave it out." },
  timestamp: { reason: "times are bounded, not replaced", hint: "Give --source-date-epoch SECONDS." },
  userns: BUILDERS_MAP,
  "userns-gid-map": BUILDERS_MAP,
  "userns-uid-map": BUILDERS_MAP,
  v: NO_VOLUMES,
  variant: ONE_PLATFORM_OPTION,
  volume: NO_VOLUMES,
};

/** By the commands' names without `bunker`, and without the group where they are there without it, too. */
const REFUSALS: Readonly<Record<string, Readonly<Record<string, Refusal>>>> = {
  build: OF_BUILDS,
  create: OF_NEW_CONTAINERS,
  "network connect": OF_PLACES_ON_NETWORKS,
  "network create": OF_NETWORKS,
  rm: {
    link: { reason: "links are a container's own", hint: "bunker network disconnect takes a container off a network." },
  },
  run: OF_NEW_CONTAINERS,
  start: { checkpoint: CHECKPOINTS, "checkpoint-dir": CHECKPOINTS },
  "volume create": Object.fromEntries(
    [
      "availability",
      "group",
      "limit-bytes",
      "required-bytes",
      "scope",
      "secret",
      "sharing",
      "topology-preferred",
      "topology-required",
      "type",
    ].map((name) => [name, SWARM]),
  ),
  "volume ls": { cluster: SWARM },
};

/**
 * The error for an option that others have and Bunker cannot.
 * @param command as typed: `bunker run`
 * @param option its name without dashes
 * @returns undefined when nobody has it
 */
export function refusedOption(command: string, option: string): BunkerError | undefined {
  const refusals = REFUSALS[command.replace(/^bunker (?:container |(?:image|buildx|builder) (?=build$))?/, "")] ?? {};
  // Every object has a member `constructor`, and no command such an option.
  const refusal = Object.hasOwn(refusals, option) ? refusals[option] : undefined;
  if (refusal === undefined) return undefined;
  const written = `${option.length === 1 ? "-" : "--"}${option}`;
  return new BunkerError({ code: "option_refused", operation: `${command} has no option ${written}`, ...refusal });
}
