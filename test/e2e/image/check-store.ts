import { Database } from "bun:sqlite";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { digestOf } from "../../../src/image/digest.ts";
import { FileMode } from "../../../src/sys/stat.ts";

/**
 * Looks whether a store is whole, whatever happened to it: what is in `blobs/` has its digest, every image that has a
 * row has its blobs and so has every entry of index.json, and every layer that can be seen is as it is to be.
 * @param data the data directory
 * @param layers what `listing` has said of each layer, by its name, in a store that nothing has happened to
 * @returns what is wrong
 */
export function faultsOf(data: string, layers: ReadonlyMap<string, string>): string[] {
  const faults: string[] = [];
  const has = (digest: string) => existsSync(`${data}/blobs/${digest.replace(":", "/")}`);
  for (const name of namesIn(`${data}/blobs/sha256`)) {
    if (digestOf(readFileSync(`${data}/blobs/sha256/${name}`)) !== `sha256:${name}`) faults.push(`blob ${name}`);
  }
  if (existsSync(`${data}/state.db`)) {
    using database = new Database(`${data}/state.db`);
    const check = database.query<{ integrity_check: string }, []>("PRAGMA integrity_check").get();
    if (check?.integrity_check !== "ok") faults.push("the database");
    const hasTables = database.query("SELECT 1 FROM sqlite_master WHERE name = 'layer'").get() !== null;
    const sql = "SELECT manifest AS digest FROM image UNION SELECT id FROM image UNION SELECT digest FROM layer";
    const rows = hasTables ? database.query<{ digest: string }, []>(sql).all() : [];
    for (const { digest } of rows) if (!has(digest)) faults.push(`no blob ${digest}`);
  }
  if (existsSync(`${data}/index.json`)) {
    const { manifests } = JSON.parse(readFileSync(`${data}/index.json`, "utf8"));
    for (const { digest } of manifests) if (!has(digest)) faults.push(`index.json names ${digest}`);
  }
  for (const name of namesIn(`${data}/layers`)) {
    // What is being removed is nobody's layer any more.
    if (name.startsWith("removed-")) continue;
    if (listing(`${data}/layers/${name}/diff`) !== layers.get(name)) faults.push(`layer ${name}`);
  }
  return faults;
}

/** Everything in a layer, with owners, modes, sizes and times. */
export function listing(directory: string, name = "."): string {
  const path = `${directory}/${name}`;
  const { uid, gid, mode, size, mtimeNs } = lstatSync(path, { bigint: true });
  const type = Number(mode) & FileMode.type;
  const line = (more: unknown) => `${name} ${uid} ${gid} ${mode.toString(8)} ${mtimeNs} ${more}\n`;
  // A whiteout; its time means nothing.
  if (type === FileMode.characterDevice) return `${name} whiteout\n`;
  if (type === FileMode.symbolicLink) return line(readlinkSync(path));
  if (type !== FileMode.directory) return line(size);
  const children = readdirSync(path).sort();
  return line(children.length) + children.map((child) => listing(directory, `${name}/${child}`)).join("");
}

export function namesIn(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
