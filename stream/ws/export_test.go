package ws

import "gozilla/stream/conn"

// Viewed is the port of a binding that takes bytes, as one for sockets.
func Viewed(to conn.Port) Port { return viewed{to} }
