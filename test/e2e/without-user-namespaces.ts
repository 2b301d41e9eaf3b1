import { readlinkSync, writeFileSync } from "node:fs";
import { eventually, finish, type Outcome, type UnprivilegedUser } from "../unprivileged-user.ts";

/** Runs `bunker` to its end where nobody may make a user namespace. */
export async function withoutUserNamespaces(user: UnprivilegedUser, words: readonly string[]): Promise<Outcome> {
  // A user namespace around the user, with all ids and a limit of its own for further ones.
  await using around = Bun.spawn(["unshare", "-U", "sleep", "1000"], { stdio: ["ignore", "ignore", "ignore"] });
  const { pid } = around;
  await eventually(
    () => readlinkSync(`/proc/${pid}/ns/user`) !== readlinkSync("/proc/self/ns/user"),
    () => "a user namespace",
  );
  for (const kind of ["uid", "gid"]) writeFileSync(`/proc/${pid}/${kind}_map`, "0 0 4294967295\n");
  const script = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"';
  const enter = ["nsenter", "-t", String(pid), "-U", "-S", "0", "-G", "0", "sh", "-c", script, "sh"];
  return await finish(user.startAsRoot([...enter, ...user.as([user.bunkerPath, ...words])]));
}
