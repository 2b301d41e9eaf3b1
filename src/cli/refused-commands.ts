/*
 * Commands of Docker and Podman that Bunker has not, with the reason and what there is instead. No help mentions them;
 * loaded only when a command is unknown.
 */
import { BunkerError } from "../sys/error.ts";
import { CHECKPOINTS, NO_PODS, type Refusal } from "./refused-options.ts";

const NO_SWARM: Refusal = {
  reason: "it is about a Swarm cluster, and Bunker's containers are this machine's",
  hint: "Containers are made by bunker run, and talk over bunker network create.",
};

const NO_KUBERNETES: Refusal = {
  reason: "Bunker reads and writes no manifests of Kubernetes",
  hint: "Containers are made by bunker run, and share namespaces by --network container:NAME.",
};

const NO_SERVER: Refusal = {
  reason: "there is no server: each command does its work itself",
  hint: "On another machine run it there: ssh HOST bunker …",
};

const NO_VIRTUAL_MACHINES: Refusal = {
  reason: "containers run on this machine's kernel",
  hint: "Leave it out.",
};

const NO_SIGNATURES: Refusal = {
  reason: "Bunker makes and checks no signatures",
  hint: "Have a tool do it that does, such as cosign.",
};

const NO_CONTAINER_MOUNTS: Refusal = {
  reason: "a container's files are mounted in its own mount namespace alone",
  hint: "bunker cp and bunker export read a container's files, running or not; bunker exec looks inside.",
};

const NO_SETUP_ALONE: Refusal = {
  reason: "a container is set up when it is started",
  hint: "bunker start NAME does both.",
};

const HEALTH_CHECKS: Refusal = {
  reason: "a container's supervisor executes its checks in time",
  hint: "bunker inspect --format '{{json .State.Health}}' NAME shows the results; bunker exec executes the command now.",
};

const OTHERS: Readonly<Record<string, Readonly<Record<string, Refusal>>>> = {
  bunker: {
    "auto-update": {
      reason: "Bunker replaces no containers by itself",
      hint: "Pull the image, remove the container, and run it again.",
    },
    checkpoint: CHECKPOINTS,
    compose: {
      reason: "Bunker reads no files of Compose",
      hint: "Containers are made by bunker run, and talk over bunker network create.",
    },
    config: NO_SWARM,
    context: NO_SERVER,
    farm: NO_SERVER,
    generate: {
      reason: "Bunker writes no units for single containers, and no manifests of Kubernetes",
      hint: "bunker autostart enable has containers started with the machine.",
    },
    healthcheck: HEALTH_CHECKS,
    init: NO_SETUP_ALONE,
    kube: NO_KUBERNETES,
    machine: NO_VIRTUAL_MACHINES,
    mount: NO_CONTAINER_MOUNTS,
    node: NO_SWARM,
    play: NO_KUBERNETES,
    plugin: { reason: "Bunker has no plugins", hint: "Drivers of networks, volumes and logs are built in." },
    pod: NO_PODS,
    service: NO_SWARM,
    stack: NO_SWARM,
    swarm: NO_SWARM,
    trust: NO_SIGNATURES,
    umount: NO_CONTAINER_MOUNTS,
    unmount: NO_CONTAINER_MOUNTS,
  },
  "bunker container": {
    checkpoint: CHECKPOINTS,
    cleanup: {
      reason: "nothing stays mounted when a container has ended",
      hint: "bunker container prune removes those that have ended.",
    },
    init: NO_SETUP_ALONE,
    mount: NO_CONTAINER_MOUNTS,
    restore: CHECKPOINTS,
    runlabel: {
      reason: "Bunker runs no commands that images bring for the host",
      hint: "bunker image inspect shows the label; run what it says yourself.",
    },
    umount: NO_CONTAINER_MOUNTS,
    unmount: NO_CONTAINER_MOUNTS,
  },
  "bunker image": {
    scp: {
      reason: "Bunker reaches other machines only through registries",
      hint: "bunker save NAME | ssh HOST bunker load brings an image there.",
    },
    sign: NO_SIGNATURES,
    trust: NO_SIGNATURES,
  },
  "bunker network": {
    reload: {
      reason: "networks have no rules in a firewall that could be lost",
      hint: "Leave it out; what changes on the host holds at once.",
    },
  },
  "bunker system": {
    connection: NO_SERVER,
    "dial-stdio": NO_SERVER,
    migrate: {
      reason: "a newer Bunker brings its data up to date by itself",
      hint: "Leave it out.",
    },
    renumber: { reason: "Bunker's locks have no numbers", hint: "Leave it out." },
    reset: {
      reason: "Bunker does not remove everything at once",
      hint: "bunker rm --force --all; bunker volume rm --all; bunker system prune --all",
    },
    service: NO_SERVER,
  },
  "bunker volume": {
    update: {
      reason: "it is about volumes of a Swarm cluster",
      hint: "What a volume is, is said when it is made: bunker volume create",
    },
  },
};

/**
 * The error for a command that others have and Bunker has not.
 * @param group as typed: `bunker container`
 * @param name the word behind it
 * @returns undefined when nobody has it
 */
export function refusedCommand(group: string, name: string): BunkerError | undefined {
  const refusals = OTHERS[group] ?? {};
  // Every object has a member `constructor`, and nobody such a command.
  const refusal = Object.hasOwn(refusals, name) ? refusals[name] : undefined;
  if (refusal === undefined) return undefined;
  return new BunkerError({ code: "command_refused", operation: `${group} has no command ${name}`, ...refusal });
}
