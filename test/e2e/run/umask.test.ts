/* What a container's users see of the files that Bunker makes for them, whatever the umask of the caller. */
import { expect, test } from "bun:test";
import { containerSuite } from "./suite.ts";

const suite = containerSuite();

test.each(["077", "000", "777"])("with a umask of %s", async (umask) => {
  const bunker = async (...words: readonly string[]) => {
    const shell = ["sh", "-c", `umask ${umask}; exec "$0" "$@"`, suite.user.bunkerPath];
    const { status, output, errors } = await suite.user.execute([...shell, ...words]);
    expect({ status, errors }).toEqual({ status: 0, errors: "" });
    return output;
  };
  const run = ["run", "--rm", "--network", "none", "-u", "alice", "-w", "/made"];
  const files = "/ /etc/hosts /etc/hostname /etc/resolv.conf /dev /dev/shm /made";
  expect(await bunker(...run, suite.image, "sh", "-c", `stat -c '%a %n' ${files}; umask`)).toBe(
    "755 /\n644 /etc/hosts\n644 /etc/hostname\n644 /etc/resolv.conf\n755 /dev\n1777 /dev/shm\n755 /made\n0022\n",
  );
  const view = ["run", "--rm", "--network", "none", "--rootfs", "/:O", "/usr/bin/stat", "-c", "%a", "/", "/proc/.."];
  expect(await bunker(...view)).toBe("755\n755\n");
});
