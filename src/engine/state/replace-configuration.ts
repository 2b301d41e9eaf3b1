import { type Configuration, formatConfiguration } from "../../runtime/configuration/configuration.ts";
import { encodeText } from "../../sys/byte-string.ts";
import { synchronize, unlinkAt } from "../../sys/file.ts";
import { openFile, renameFile, writeOpenText } from "../../sys/named-file.ts";
import { AT_FDCWD, OpenFlag } from "../../sys/open.ts";
import { check } from "../../sys/system-call.ts";

/**
 * Puts a configuration into a file that may have one: whatever happens, it has the old one or the new one.
 * @throws BunkerError `system_call_failed`
 */
export function replaceConfiguration(path: string, configuration: Configuration): void {
  const aside = `${path}.${process.pid}`;
  try {
    {
      using file = openFile(aside, OpenFlag.O_WRONLY | OpenFlag.O_CREAT | OpenFlag.O_TRUNC, 0o600);
      writeOpenText(file.number, aside, formatConfiguration(configuration));
      // Otherwise the name could be on the disk before the content is, and the old content gone.
      check(synchronize(file.number), "synchronize", aside);
    }
    renameFile(aside, path);
  } catch (error) {
    unlinkAt(AT_FDCWD, encodeText(aside));
    throw error;
  }
}
