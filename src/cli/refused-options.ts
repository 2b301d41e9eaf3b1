/*
 * Options of Docker and Podman that Bunker cannot have, with the reason and what to do instead. They are in no table of
 * options and in no help; whoever types one is told more than that it is unknown. Loaded only then.
 */
import { BunkerError } from "../sys/error.ts";

/** Why there is no such option, and what else there is. */
export interface Refusal {
  readonly reason: string;
  readonly hint: string;
}

const WINDOWS: Refusal = {
  reason: "it is about containers of Windows",
  hint: "Leave it out.",
};

export const NO_PODS: Refusal = {
  reason: "Bunker has no pods",
  hint: "Containers share namespaces by --network, --pid and --ipc container:NAME.",
};

const OWN_USERS: Refusal = {
  reason: "Bunker leaves the image's /etc/passwd and /etc/group as they are",
  hint: "Mount files of yours: -v FILE:/etc/passwd -v FILE:/etc/group",
};

const ONE_MAP: Refusal = {
  reason: "all containers of a user have one map of ids, by which their files are stored",
  hint: "--userns keep-id[:uid=UID,gid=GID] maps the caller to an id of choice.",
};

export const CHECKPOINTS: Refusal = {
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

const NO_DECRYPTION: Refusal = {
  reason: "Bunker does not decrypt images",
  hint: "Decrypt it first with a tool that does.",
};

const NO_SIGNATURE_POLICY: Refusal = {
  reason: "Bunker checks no signatures, so there is no policy about them",
  hint: "Name images by their digests (NAME@sha256:…) to have those and no others.",
};

const OWN_RUNTIME: Refusal = {
  reason: "Bunker runs containers itself",
  hint: "Leave it out.",
};

const OF_NEW_CONTAINERS: Readonly<Record<string, Refusal>> = {
  "conmon-pidfile": {
    reason: "there is no conmon: each container has a supervisor of Bunker's",
    hint: "--pidfile FILE has the pid of the container's first process.",
  },
  "cpu-count": WINDOWS,
  "cpu-percent": WINDOWS,
  "decryption-key": NO_DECRYPTION,
  gidmap: ONE_MAP,
  "group-entry": OWN_USERS,
  "health-log-destination": {
    reason: "results of health checks are kept with the container",
    hint: "bunker inspect shows them; --health-max-log-count and --health-max-log-size say how much is kept.",
  },
  hostuser: OWN_USERS,
  "init-path": {
    reason: "the init of --init is a part of Bunker",
    hint: "Leave it out.",
  },
  "io-maxbandwidth": WINDOWS,
  "io-maxiops": WINDOWS,
  "init-ctr": NO_PODS,
  isolation: WINDOWS,
  "link-local-ip": ONE_ADDRESS,
  passwd: OWN_USERS,
  "passwd-entry": OWN_USERS,
  pod: NO_PODS,
  "pod-id-file": NO_PODS,
  "rdt-class": {
    reason: "only root of the host may divide its caches",
    hint: "Leave it out.",
  },
  requires: {
    reason: "starting a container starts no others",
    hint: "Start them in their order: bunker start DATABASE WEB",
  },
  runtime: OWN_RUNTIME,
  sdnotify: {
    reason: "Bunker tells systemd nothing of a container's start",
    hint: "Use a unit of Type=exec, or of Type=forking with --pidfile.",
  },
  "seccomp-policy": {
    reason: "profiles in images are not taken",
    hint: "--security-opt seccomp=FILE takes one of yours.",
  },
  "shm-size-systemd": {
    reason: "what systemd mounts in memory has no size of its own",
    hint: "--tmpfs /run:size=BYTES mounts it with one.",
  },
  "signature-policy": NO_SIGNATURE_POLICY,
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

const OF_INSPECTED_NETWORKS: Readonly<Record<string, Refusal>> = { v: SWARM_NETWORK, verbose: SWARM_NETWORK };

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

const OWN_NAMESPACES: Refusal = {
  reason: "commands have namespaces of their own",
  hint: "--network host shares the host's network; RUN --security=insecure has more rights.",
};

const NO_SIGNATURES: Refusal = {
  reason: "Bunker makes and checks no signatures",
  hint: "Sign what was pushed with a tool that does, such as cosign.",
};

const NO_PACKAGE_LISTS: Refusal = {
  reason: "Bunker lists no packages",
  hint: "Have a scanner do it, such as syft on what bunker save writes.",
};

const OF_WINDOWS_IMAGES: Refusal = {
  reason: "it is about images of Windows",
  hint: "Leave it out.",
};

const NO_POLICIES: Refusal = {
  reason: "Bunker evaluates no policies of builds",
  hint: "What a build may do is said by --allow.",
};

const NO_STAGE_IMAGES: Refusal = {
  reason: "stages are layers of the cache, and no images",
  hint: "--target STAGE makes an image of one.",
};

const ONE_LOG: Refusal = {
  reason: "the progress of all platforms is one",
  hint: "--progress rawjson says of each step what it has written, and when it began and ended.",
};

const OF_BUILDS: Readonly<Record<string, Refusal>> = {
  "all-platforms": { reason: "platforms are named", hint: "Give --platform linux/amd64,linux/arm64." },
  arch: ONE_PLATFORM_OPTION,
  "cache-ttl": {
    reason: "what the cache holds does not become worse with time",
    hint: "--no-cache and --no-cache-filter STAGE do it anew; builder prune --filter until=24h takes out what was not used.",
  },
  cgroupns: OWN_NAMESPACES,
  "compat-volumes": {
    reason: "what commands write to a VOLUME is in the image, as with docker",
    hint: "Leave it out.",
  },
  "cpp-flag": {
    reason: "Dockerfiles are not preprocessed",
    hint: "Do it before: cpp -E Dockerfile.in | bunker build -f - .",
  },
  "created-annotation": {
    reason: "the time is in the image's configuration alone",
    hint: "Leave it out, or give --annotation org.opencontainers.image.created=TIME.",
  },
  creds: { reason: "a build may ask several registries", hint: "Log in by bunker login." },
  cw: { reason: "Bunker makes no encrypted images", hint: "Have a tool for that read what bunker save writes." },
  D: NO_DEBUGGING,
  debug: NO_DEBUGGING,
  "decryption-key": NO_DECRYPTION,
  device: {
    reason: "commands have no devices of the host but by their own word",
    hint: "RUN --security=insecure with --allow security.insecure has those that you may use.",
  },
  "disable-compression": {
    reason: "layers are packed for the store as for registries",
    hint: "--output type=image,compression=uncompressed leaves them as they are.",
  },
  "hooks-dir": { reason: "builds run no hooks", hint: "Write what is to be done into a RUN." },
  "inherit-annotations": {
    reason: "annotations of base images are theirs alone",
    hint: "Give those of this image: --annotation KEY=VALUE",
  },
  ipc: OWN_NAMESPACES,
  "layer-label": {
    reason: "there are no images of single steps that could have labels",
    hint: "--label KEY=VALUE labels the image.",
  },
  "log-rusage": ONE_LOG,
  logsplit: ONE_LOG,
  manifest: { reason: "an index is made by one build", hint: "Give all its platforms: --platform …,… -t NAME" },
  "no-hostname": { reason: "each command has its own /etc/hostname, which is not in the image", hint: "Leave it out." },
  os: ONE_PLATFORM_OPTION,
  "os-feature": OF_WINDOWS_IMAGES,
  "os-version": OF_WINDOWS_IMAGES,
  pid: OWN_NAMESPACES,
  policy: NO_POLICIES,
  runtime: OWN_RUNTIME,
  "runtime-flag": OWN_RUNTIME,
  "save-stages": NO_STAGE_IMAGES,
  "sbom-image-output": NO_PACKAGE_LISTS,
  "sbom-image-purl-output": NO_PACKAGE_LISTS,
  "sbom-merge-strategy": NO_PACKAGE_LISTS,
  "sbom-output": NO_PACKAGE_LISTS,
  "sbom-purl-output": NO_PACKAGE_LISTS,
  "sbom-scanner-command": NO_PACKAGE_LISTS,
  "sbom-scanner-image": NO_PACKAGE_LISTS,
  "sign-by": NO_SIGNATURES,
  "signature-policy": NO_SIGNATURE_POLICY,
  "skip-unused-stages": { reason: "stages that the target does not need are never built", hint: "Leave it out." },
  "source-policy-file": NO_POLICIES,
  "stage-labels": NO_STAGE_IMAGES,
  stdin: { reason: "commands have no input", hint: "Give them a file: RUN command <FILE, or a heredoc." },
  stream: { reason: "the context is read where it is", hint: "Leave it out." },
  "transient-run-mounts": { reason: "mounts of commands are never in an image", hint: "Leave it out." },
  unsetannotation: { reason: "annotations of base images are not taken over", hint: "Leave it out." },
  userns: BUILDERS_MAP,
  "userns-gid-map": BUILDERS_MAP,
  "userns-gid-map-group": BUILDERS_MAP,
  "userns-uid-map": BUILDERS_MAP,
  "userns-uid-map-user": BUILDERS_MAP,
  uts: OWN_NAMESPACES,
  variant: ONE_PLATFORM_OPTION,
};

const NO_ENCRYPTION: Refusal = {
  reason: "Bunker encrypts no layers",
  hint: "Leave it out; whoever may read the repository reads the image.",
};

const OF_IMAGES_ON_THEIR_WAY: Readonly<Record<string, Refusal>> = {
  "encrypt-layer": NO_ENCRYPTION,
  "encryption-key": NO_ENCRYPTION,
  "sign-by": NO_SIGNATURES,
  "sign-by-sigstore": NO_SIGNATURES,
  "sign-by-sigstore-private-key": NO_SIGNATURES,
  "sign-passphrase-file": NO_SIGNATURES,
  "signature-policy": NO_SIGNATURE_POLICY,
};

const NO_DRIVER_OPTIONS: Refusal = {
  reason: "the driver has no options: secrets lie in Bunker's data directory",
  hint: "Leave it out.",
};

const VOLUMES_IN_USE: Refusal = {
  reason: "a volume that is in use is not removed, with --force neither, so no container is stopped",
  hint: "Remove its containers first: bunker rm --force --time SECONDS CONTAINER",
};

const NO_DAEMON: Refusal = {
  reason: "images are not copied from or to a daemon",
  hint: "Use an archive of docker save: docker-archive:FILE.",
};

const LOGIN_NOT_TOKEN: Refusal = {
  reason: "tokens are asked for by the login",
  hint: "Give --src-creds or --dest-creds, or log in by bunker login.",
};

const WHOLE_LAYOUTS: Refusal = {
  reason: "image layouts are read and written whole, with their blobs",
  hint: "Leave it out.",
};

const OF_COPIES: Readonly<Record<string, Refusal>> = {
  ...OF_IMAGES_ON_THEIR_WAY,
  "additional-tag": {
    reason: "an archive has one name for an image that is copied",
    hint: "bunker save -o FILE NAME NAME writes one with several.",
  },
  "decryption-key": NO_DECRYPTION,
  "dest-daemon-host": NO_DAEMON,
  "dest-oci-accept-uncompressed-layers": {
    reason: "layers are copied as they are packed, or not packed",
    hint: "Leave it out.",
  },
  "dest-precompute-digests": {
    reason: "layers are copied as they are packed, so their digests are always known before",
    hint: "Leave it out.",
  },
  "dest-registry-token": LOGIN_NOT_TOKEN,
  "dest-shared-blob-dir": WHOLE_LAYOUTS,
  policy: NO_SIGNATURE_POLICY,
  "sign-identity": NO_SIGNATURES,
  "src-daemon-host": NO_DAEMON,
  "src-registry-token": LOGIN_NOT_TOKEN,
  "src-shared-blob-dir": WHOLE_LAYOUTS,
};

const OF_REMOVALS: Readonly<Record<string, Refusal>> = {
  platform: {
    reason: "the images of an index go with its name",
    hint: "An image of one platform is removed by its id: bunker images --tree shows it.",
  },
};

const RESOURCE_CONTROL: Refusal = {
  reason: "Bunker does not divide caches and memory bandwidth",
  hint: "Whoever runs the host does by the file system resctrl.",
};

const KERNEL_MEMORY: Refusal = {
  reason: "cgroup v2 counts the kernel's memory as the cgroup's own",
  hint: "--memory limits both.",
};

/** By the commands' names without `bunker`, and without the group where they are there without it, too. */
const REFUSALS: Readonly<Record<string, Readonly<Record<string, Refusal>>>> = {
  build: OF_BUILDS,
  clone: { pod: NO_PODS },
  copy: OF_COPIES,
  create: OF_NEW_CONTAINERS,
  "image prune": {
    external: {
      reason: "there are no containers of other tools in the store that builds could have left",
      hint: "Leave it out; --build-cache removes what builds keep.",
    },
  },
  "image rm": OF_REMOVALS,
  load: { "signature-policy": NO_SIGNATURE_POLICY },
  "manifest push": OF_IMAGES_ON_THEIR_WAY,
  "network connect": OF_PLACES_ON_NETWORKS,
  "network create": OF_NETWORKS,
  "network inspect": OF_INSPECTED_NETWORKS,
  ps: { p: NO_PODS, pod: NO_PODS },
  pull: { "decryption-key": NO_DECRYPTION, "signature-policy": NO_SIGNATURE_POLICY },
  push: OF_IMAGES_ON_THEIR_WAY,
  rm: {
    link: { reason: "links are a container's own", hint: "bunker network disconnect takes a container off a network." },
  },
  rmi: OF_REMOVALS,
  run: OF_NEW_CONTAINERS,
  runtime: { criu: CHECKPOINTS },
  "runtime create": {
    "no-subreaper": {
      reason: "no process of Bunker's stays that could adopt what the container leaves behind",
      hint: "Leave it out.",
    },
  },
  "runtime update": {
    "kernel-memory": KERNEL_MEMORY,
    "kernel-memory-tcp": KERNEL_MEMORY,
    "l3-cache-schema": RESOURCE_CONTROL,
    "mem-bw-schema": RESOURCE_CONTROL,
  },
  save: { "signature-policy": NO_SIGNATURE_POLICY },
  "secret create": {
    "driver-opt": NO_DRIVER_OPTIONS,
    "driver-opts": NO_DRIVER_OPTIONS,
    "template-driver": { reason: "it is about secrets of a Swarm cluster", hint: "Write what it is to be." },
  },
  start: { checkpoint: CHECKPOINTS, "checkpoint-dir": CHECKPOINTS },
  unshare: {
    "rootless-netns": {
      reason: "networks of containers are in no namespace that could be joined",
      hint: "bunker run --network NAME has a command look at them from inside.",
    },
  },
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
  "volume rm": { t: VOLUMES_IN_USE, time: VOLUMES_IN_USE },
};

/**
 * The error for an option that others have and Bunker cannot.
 * @param command as typed: `bunker run`
 * @param option its name without dashes
 * @returns undefined when nobody has it
 */
export function refusedOption(command: string, option: string): BunkerError | undefined {
  const refusals =
    REFUSALS[
      command.replace(
        /^bunker (?:container |(?:buildx|builder) (?=build$)|image (?=(?:build|copy|load|pull|push|save)$))?/,
        "",
      )
    ] ?? {};
  // Every object has a member `constructor`, and no command such an option.
  const refusal = Object.hasOwn(refusals, option) ? refusals[option] : undefined;
  if (refusal === undefined) return undefined;
  const written = `${option.length === 1 ? "-" : "--"}${option}`;
  return new BunkerError({ code: "option_refused", operation: `${command} has no option ${written}`, ...refusal });
}
