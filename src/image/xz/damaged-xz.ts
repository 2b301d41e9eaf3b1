/** That the bytes are not what the format says, or ask for what is not done. */
export class DamagedXz extends Error {
  readonly code = "XZ_DAMAGED";
}
