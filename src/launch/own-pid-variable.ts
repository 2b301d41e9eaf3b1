/** The variable by which a process knows that the sockets are for itself that it is given; sd_listen_fds(3). */
export const OWN_PID_VARIABLE = "LISTEN_PID=";
