/*
 * Modules of Node's that are loaded when they are first used, in code that every start loads and few execute: loading
 * these takes more than a millisecond. What every start does with files is in named-file.ts.
 */
import { lazily } from "../lazily.ts";

export const nodeFileSystem = lazily(() => process.getBuiltinModule("node:fs"));

export const nodeOperatingSystem = lazily(() => process.getBuiltinModule("node:os"));

export const nodePath = lazily(() => process.getBuiltinModule("node:path"));
