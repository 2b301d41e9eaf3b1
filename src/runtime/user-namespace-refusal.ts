import { CloneFlag } from "../sys/clone.ts";
import { BunkerError } from "../sys/error.ts";
import { readIfThere } from "../sys/read-if-there.ts";

/** What keeps an ordinary user from making a user namespace on this host, as far as the host's files tell. */
function hint(): string {
  if (readIfThere("/proc/sys/kernel/unprivileged_userns_clone")?.trim() === "0") {
    return "an administrator has to permit user namespaces: sysctl -w kernel.unprivileged_userns_clone=1";
  }
  if (readIfThere("/proc/sys/user/max_user_namespaces")?.trim() === "0") {
    return "an administrator has to permit user namespaces: sysctl -w user.max_user_namespaces=15000";
  }
  if (readIfThere("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")?.trim() === "1") {
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
