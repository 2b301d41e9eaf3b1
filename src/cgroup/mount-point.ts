/** Where cgroup v2 is mounted on a host without v1. */
export const MOUNT = "/sys/fs/cgroup";
