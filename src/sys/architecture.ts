/** The processor architectures that Bunker emits machine code and knows system call numbers for. */
export type Architecture = "x86-64" | "arm64";

/**
 * The architecture of this process.
 * @throws Error on any processor but x86-64 and arm64
 */
export function hostArchitecture(): Architecture {
  if (process.arch === "x64") return "x86-64";
  if (process.arch === "arm64") return "arm64";
  throw new Error(`unsupported processor architecture ${process.arch}`);
}
