/** The unit of systemd's that starts a user's containers; see autostart-place.ts. */
export const AUTOSTART_UNIT = "bunker-autostart.service";
