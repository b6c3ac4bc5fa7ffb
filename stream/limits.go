package stream

import "time"

// Count bounds a number of things, or of bytes.
type Count int

// Bounds is part of the shape of a configuration: nothing can be limited to none.
func (Count) Bounds() (least, most int64) { return 1, 1 << 31 }

// Kept bounds a number of things that are kept in memory whether they are there or not.
type Kept int

// Bounds is part of the shape of a configuration.
func (Kept) Bounds() (least, most int64) { return 1, 1 << 20 }

// Limits bounds everything that comes from outside. Each has a safe default and is set with -P gozilla.limits.KEY=VALUE.
type Limits struct {
	// The connections that may be open at once, accepted and dialled ones together, and the further streams of HTTP/2 on them. At the limit, a listener still
	// accepts and closes at once, so that health probes of the port succeed, and a tcp client refuses to dial. The
	// default is what the limit on open files leaves room for.
	Connections Count
	// The longest time that dialling may take, over all addresses of a name, its resolution included.
	Dial time.Duration
	// The most bytes that may be read before it is decided where a stream goes, such as a ClientHello, and the most that
	// the head of an HTTP/1.1 message may have, which is 32 KiB at the most.
	Head Count
	// The longest time until the bytes are there that decide where a stream goes.
	HeadTime time.Duration `config:"headtime"`
	// The longest time that a TLS handshake may take, on either side. Also set with
	// zilla.binding.tls.handshake.timeout, in seconds.
	Handshake time.Duration
	// The longest time that the body of an HTTP message may stand still while it comes or goes.
	Body time.Duration
	// The longest time that an HTTP response may stand still whose length was not said, such as a stream of events; and a
	// request of HTTP/2 likewise, once it is being answered, or from the beginning if it is a gRPC call.
	Pause time.Duration
	// The longest time until a server that was sent a request begins to answer.
	Answer time.Duration
	// The longest time that an HTTP connection waits for its next request.
	Idle time.Duration
	// The longest time that an HTTP client keeps a connection that it has no use for.
	Spare time.Duration
	// The connections that an HTTP client may have to one server, by scheme and authority; as many again for upgrades that
	// the server does not take over HTTP/2. Also set with zilla.binding.http.maximum.connections.
	Pool Count
	// The exchanges that may wait for a connection to one server when there are as many as may be, each for as long as
	// the limit dial allows; beyond, they are refused.
	Waiting Count
	// The streams that may go on at a time on one connection of HTTP/2, of a client or to a server. Also set with
	// zilla.binding.http.concurrent.streams.
	Streams Count
	// The bytes of bodies that may wait to be read on one connection of HTTP/2, over all its streams. Each stream has a
	// window of 64 KiB, or less if that is too much for so many; what is left is for windows that grow with use.
	Window Count
	// The bytes that all connections of HTTP/2 may hold: heads of exchanges that go on, twice, bodies that wait to be read,
	// and pieces of answers that wait for their clients. Beyond, windows do not grow, and a connection that holds more than
	// 64 KiB, and takes more, is ended.
	Bodies Count
	// For how long a connection of HTTP/2 with streams on it, or a WebSocket, may be silent before its peer is asked whether
	// it is there; one that is silent for as long again is ended. A server of HTTP/2 that has said nothing since but that it
	// is there is asked again after ten times as long, for servers of gRPC let clients go that ask more often.
	Ping time.Duration
	// The most bytes that one message of a WebSocket, or one event of a stream of events, may have.
	Message Count
	// The bytes that may wait in the gateway for one member of a fan group that does not read; beyond, it is reset.
	Queue Count
	// The longest time that a byte may wait for a member of a fan group that does not read; beyond, it is reset.
	Stall time.Duration
	// The longest time that streams may go on once the gateway was asked to stop, or once a change of the file has taken
	// their way from them and the binding says drain. Also set with --drain.
	Drain time.Duration
	// The connections that are asked to leave in one second, and ended in one second when the time of the limit drain is
	// over, so that their clients do not all come back in the same moment. Where there are too many for that, it is done
	// evenly in half the time of the limit drain, and ended in two seconds.
	Leaving Count
	// The records, of connections and of exchanges, that are kept for gozilla logs.
	Records Kept
	// The resolved names that one tcp client keeps.
	Names Kept
}

// Defaults sets every limit but Connections, which depends on the process.
func (l *Limits) Defaults() {
	l.Dial = 10 * time.Second
	l.Head = 64 << 10
	l.HeadTime = 10 * time.Second
	l.Handshake = 10 * time.Second
	l.Body = 30 * time.Second
	l.Pause = time.Hour
	l.Answer = 60 * time.Second
	l.Idle = 75 * time.Second
	l.Spare = 50 * time.Second
	l.Pool = 1024
	l.Waiting = 4096
	l.Streams = 100
	l.Window = 16 << 20
	l.Bodies = 256 << 20
	l.Ping = 30 * time.Second
	l.Message = 16 << 20
	l.Queue = 256 << 10
	l.Stall = 5 * time.Second
	l.Drain = 30 * time.Second
	l.Leaving = 2000
	l.Records = 4096
	l.Names = 1024
}

// DefaultLimits are the limits of a process in which nothing was set; Connections is 10,000.
func DefaultLimits() *Limits {
	l := &Limits{Connections: 10_000}
	l.Defaults()
	return l
}
