import type { StateDatabase } from "../../state/state-database.ts";
import { Errno } from "../../sys/errno.ts";
import type { FileDescriptor } from "../../sys/file-descriptor.ts";
import { openFile } from "../../sys/named-file.ts";
import { OpenFlag } from "../../sys/open.ts";
import { lockRange, RecordLock } from "../../sys/record-lock.ts";
import { isNameTaken } from "../state/containers.ts";

/** A name that nobody else chooses until this is disposed of, when there is a container of that name. */
export interface ChosenName extends Disposable {
  readonly name: string;
}

/**
 * Chooses a name for a container that got none. Of a hundred that are made at once two would get the same every second
 * time, since a name is chosen a while before its container is recorded. So it has its place in a file locked meanwhile.
 * @param choose gives names to choose from
 * @throws BunkerError `system_call_failed`
 */
export function chooseName(database: StateDatabase, data: string, choose: () => string): ChosenName {
  using cleanup = new DisposableStack();
  const { number } = cleanup.adopt(openFile(`${data}/names.lock`, OpenFlag.O_RDWR | OpenFlag.O_CREAT, 0o600), giveBack);
  for (;;) {
    const name = choose();
    const result = lockRange(number, RecordLock.exclusive, Bun.hash.crc32(name), 1);
    if (result === -Errno.EAGAIN || isNameTaken(database, name)) continue;
    const held = cleanup.move();
    return { name, [Symbol.dispose]: () => held.dispose() };
  }
}

/** Children may have copies of the descriptor, which would keep the locks. */
function giveBack(file: FileDescriptor): void {
  lockRange(file.number, RecordLock.release, 0, 0);
  file.close();
}
