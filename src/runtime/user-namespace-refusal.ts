import { CloneFlag } from "../sys/clone.ts";
import { BunkerError } from "../sys/error.ts";
import { readIfThere } from "../sys/read-if-there.ts";

/** Settings that keep ordinary users from user namespaces, each with what it is then and what it should be. */
const SETTINGS = [
  { path: "/proc/sys/kernel/unprivileged_userns_clone", refusing: "0", permitting: "1" },
  { path: "/proc/sys/user/max_user_namespaces", refusing: "0", permitting: "15000" },
];

/**
 * The administrator's command that permits user namespaces to ordinary users, where a setting of the kernel refuses them.
 * @param root what to read in the place of the host's `/`
 */
export function permittingSetting(root = ""): string | undefined {
  const refusing = SETTINGS.find((setting) => readIfThere(root + setting.path)?.trim() === setting.refusing);
  if (refusing === undefined) return undefined;
  const name = refusing.path.slice("/proc/sys/".length).replaceAll("/", ".");
  return `sysctl -w ${name}=${refusing.permitting}`;
}

/**
 * Whether AppArmor gives no rights to the user namespaces of programs without a profile that permits it.
 * @param root what to read in the place of the host's `/`
 */
export function isRestrictedByAppArmor(root = ""): boolean {
  return readIfThere(`${root}/proc/sys/kernel/apparmor_restrict_unprivileged_userns`)?.trim() === "1";
}

/** What keeps an ordinary user from making a user namespace on this host, as far as the host's files tell. */
function hint(): string {
  const setting = permittingSetting();
  if (setting !== undefined) return `an administrator has to permit user namespaces: ${setting}`;
  if (isRestrictedByAppArmor()) {
    return (
      "AppArmor restricts user namespaces; an administrator can permit them: " +
      "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    );
  }
  return "see /proc/sys/user/max_*_namespaces for the host's limits; a chroot or a container's seccomp filter may forbid them too";
}

/**
 * Clones, and says what can be done if that fails for the sake of a user namespace.
 * @param flags of the clone
 * @throws BunkerError `no_user_namespace`
 */
export function explainingRefusal<Result>(flags: number, clone: () => Result): Result {
  try {
    return clone();
  } catch (error) {
    if (!(error instanceof BunkerError) || (flags & CloneFlag.NEWUSER) === 0) throw error;
    throw new BunkerError({
      code: "no_user_namespace",
      operation: "make a user namespace",
      errno: error.errno,
      hint: hint(),
    });
  }
}
