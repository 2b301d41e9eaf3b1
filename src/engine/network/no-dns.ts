/** In the place of a resolver: the image's own /etc/resolv.conf stays as it is. */
export const NO_DNS = "none";
