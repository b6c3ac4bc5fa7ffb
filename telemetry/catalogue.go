package telemetry

// A Term is a word that stands in logs and records, and what it means.
type Term struct{ Name, Means string }

// Events are the ids of all events. Those that zilla has, have zilla's ids and texts.
var Events = []Term{
	{"engine.started", "The gateway is in service."},
	{"engine.stopped", "The gateway has ended, and every stream with it."},
	{"engine.accept.failed", "Connections cannot be accepted, for lack of descriptors for example. It is tried again."},
	{"engine.capacity.reached", "Connections were closed at once because as many are open as may be. Told at most once a second for each listener."},
	{"engine.stream.failed", "A stream was lost to an internal error. The others go on."},
	{"engine.task.failed", "Something that a component does in the background has ended. It is started again."},
	{"binding.tcp.dns.failed", "A name that a tcp client needs cannot be resolved."},
	{"binding.proxy.header.rejected", "A connection has not begun with a PROXY header that is taken: there is none, it is wrong, late or incomplete, or comes from where it is not trusted."},
	{"binding.tls.tls.failed", "What a client has sent to a tls server is no TLS."},
	{"binding.tls.protocol.rejected", "A peer has broken the rules of TLS."},
	{"binding.tls.key.rejected", "A tls binding cannot use its keys. If the vault was changed, it goes on with those of before."},
	{"binding.tls.peer.not.verified", "A certificate is missing, expired, revoked, for another name, or of an authority that is not trusted; or it was trusted, and is not any more."},
	{"binding.tls.handshake.failed", "A peer and a tls binding have no version, cipher or key exchange in common, or the peer has ended the handshake with an alert."},
	{"binding.tls.handshake.timeout", "A TLS handshake took longer than the limit handshake."},
	{"binding.tls.client.certificate.not.resolved", "A route of a tls client chooses a certificate by what a guard knows, and that is nothing. No certificate is shown."},
	{"binding.tls.client.certificate.not.matched", "No key of a tls client has the property that is wanted, or none that the server accepts. No certificate is shown."},
	{"binding.http.request.accepted", "A request has come. Only exporters are told, as there is one for every request."},
	{"guard.jwt.authorization.failed", "A token gives its owner no session."},
	{"guard.jwt.keys.loaded", "The keys of an issuer were fetched and are others than before, or can be fetched again after a failure."},
	{"guard.jwt.keys.failed", "The keys of an issuer cannot be fetched. It is tried again; those that were fetched before stay in use."},
	{"guard.x509.authorization.failed", "A certificate gives its owner no session."},
	{"vault.filesystem.reloaded", "The files of a vault have changed and were read again, or can be read again."},
	{"vault.filesystem.reload.failed", "The files of a vault have changed and cannot be taken, for example because a key does not fit its certificate. What was read before stays in use."},
	{"vault.filesystem.crl.failed", "A revocation list that is in use cannot be fetched again. It is tried again; when the list at hand is out of date, certificates of its issuer are refused."},
	{"binding.fan.member.reset", "A member of a fan was reset because it did not read what waited for it."},
}

// Reasons are the words by which records say how a connection ended. Who ended it stands beside: the client, the server
// or the gateway.
var Reasons = []Term{
	{"fin", "in order: that side was the first to end its direction, and both are complete"},
	{"rst", "that side aborted the connection, or the system lost it"},
	{"keep-alive timeout", "that side did not answer the system's probes any more"},
	{"idle timeout", "nothing moved for as long as the option idle allows"},
	{"dial failed", "no address of the server could be reached"},
	{"dial timeout", "no address of the server answered within the limit dial"},
	{"handshake failed", "that side and the gateway could not agree on TLS"},
	{"handshake timeout", "the TLS handshake took longer than the limit handshake"},
	{"not verified", "that side's certificate is missing or not trusted"},
	{"no longer trusted", "the client's certificate was trusted when it connected, and is not any more"},
	{"tls", "that side broke the rules of TLS, or does not speak it"},
	{"slow head", "a request's head was not complete within the limit headtime"},
	{"slow body", "nothing more of a body came within the limit body"},
	{"no answer", "the server did not begin to answer within the limit answer"},
	{"gone", "the client has gone before its answer was whole"},
	{"no route", "nothing in the configuration leads on from here"},
	{"unauthenticated", "a guard that the route asks for knows of no session"},
	{"forbidden", "the session lacks a role that the route asks for"},
	{"unavailable", "what stands behind could not be reached"},
	{"timeout", "something did not come in time"},
	{"limit", "as many connections are open as may be"},
	{"invalid", "the client broke the rules of its protocol"},
	{"expired", "the session is over"},
	{"session expired", "the session is over that the stream was let in by"},
	{"slow reader", "too much waited for the client for too long"},
	{"draining", "the gateway is about to end"},
	{"drain", "it was still open when the gateway had waited long enough to end"},
	{"truncated", "the stream ended in the middle of something"},
	{"closed", "the gateway ended it"},
	{"internal error", "a fault of the gateway"},
	{"error", "something else, see the details"},
}
