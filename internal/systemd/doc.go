// Package systemd is what a service and systemd tell each other, without a library of theirs: the sockets that systemd
// has opened on behalf of the service, and how far the service is.
//
//	gozilla.socket ──LISTEN_FDS──▶ Listeners
//	Notifier ──READY, RELOADING, STOPPING, STATUS, WATCHDOG──▶ NOTIFY_SOCKET
//
// See sd_listen_fds(3) and sd_notify(3). A process that systemd has not started is given no sockets, and its
// notifications go nowhere.
package systemd
