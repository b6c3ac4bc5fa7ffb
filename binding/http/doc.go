// Package http is the binding that takes requests from byte streams, and makes byte streams of requests.
//
//	client ══HTTP══▶ http server ──exchanges──▶ … ──exchanges──▶ http client ══HTTP══▶ server
//
//	a request:   method known? ▶ origin of the page ▶ credentials ▶ route ▶ overrides ▶ exit
//	              501             403, or 204 if     401, 403       404      400
//	                              asked in advance
//
// A server serves the requests of a connection one after the other, and sends each on by what its head says. The first
// route counts that the session of the request may take and one of whose conditions holds. Where there is none, the
// answer is 401 if a guard is named and the request has no credentials, 403 if the guard does not take those that it
// has, and 404 else, also for who lacks a role. A route whose guards do not agree is passed over, so that a public one may
// follow it. An exchange ends with its session, which its route need not ask for; a POST of nothing but new credentials,
// with the content-type application/x-challenge-response, extends that session, and is always answered by 204.
//
// What conditions see is the request as it came, but for three things: the :scheme is that of the connection, whatever
// the request says of itself; the :authority is in lower case and has a port, that of the scheme if none was said, while
// it is passed on as it came; and headers by which a client says whose proxy it is count only if it is trusted (option
// forwarded). A :path is never decoded, nor cleaned of its dots. Because others do that, a path with a segment . or .. in
// it, however it is written, is refused (400) by a server that has guarded routes: /public/../admin could be taken for
// public here. So is one that escapes what need not be escaped, such as /%61dmin. So is a request with two lines of authorization, or of origin.
//
// A page of another origin is refused unless access-control lets it in: that holds without the option too. The questions
// that browsers ask in advance are answered by the server, guards are not asked then.
//
// A client has a pool of connections to each server, by scheme and authority: at most as many as the limit pool says, the
// one used last is taken first, and an exchange that finds none free waits as long as the limit dial allows (503). A
// tunnel, which is what an upgrade or a CONNECT makes, takes no place there. Over all servers, as many idle connections are
// kept as the limit pool says, and no more than a quarter of the limit connections. A connection that the server has
// closed, or on which it talks without being asked, is left before it is used; where that comes too late, a request that
// may be sent again is.
// A server that cannot be reached, or that breaks off before it has answered, is a 503 with retry-after: 0, one that
// breaks the rules a 502, one that takes longer than the limit answer a 504. A response that breaks off later is broken
// off on the other side too, so that half of it never looks whole.
//
// The limits of both sides: head and headtime bound a head, in bytes and in time (it has no more than 256 fields, of which each
// part of a cookie that HTTP/2 has split is one), body the time that a message may stand
// still, pause the same for an answer whose length was not said, idle how long a client may wait between two requests, spare how long a client keeps a connection to a server
// without using it, answer how long a server may think.
//
// # Versions
//
// HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken on both sides, each side as it agrees with its own peer: what comes by one goes
// on by another, trailers, interim answers (1xx) and tunnels too. A WebSocket is an upgrade in HTTP/1.1 and an extended
// CONNECT in HTTP/2 (RFC 8441); conditions see a GET with upgrade: websocket either way.
//
//	                 over TLS                       in the clear
//	server           what alpn was agreed on;       what the client begins with: HTTP/1.1, or the preface of HTTP/2;
//	                 without, HTTP/1.1              a whole request with upgrade: h2c is answered by HTTP/2
//	client           what alpn was agreed on;       HTTP/1.1, but HTTP/2 if versions has nothing else
//	                 without, HTTP/1.1
//	versions: [h2]   HTTP/2 in any case             HTTP/2 in any case
//
// A client with one version has the tls client behind it offer that alone, if it is among its alpn, or if that is h2 and alpn
// is not there.
//
// A client of a server that has agreed on a version which is not among versions is told so where it can be (GOAWAY with
// HTTP_1_1_REQUIRED) and let go; a preface where HTTP/2 is not spoken is answered by 505.
//
// On a connection of HTTP/2 a server takes as many streams at a time as the limit streams says, and a client gives a server as many
// as that takes: beyond, it opens another connection, of which there are as many as the limit pool says. Priorities are
// ignored; streams with something to send take turns, a frame each. Nothing is pushed, and who pushes is let go. A request that
// a server has refused to look at (REFUSED_STREAM, or beyond the last stream of its GOAWAY) is sent again on another connection, if
// its head is all of it, or its body has been sent and is no longer than 8 KiB: at once the first time, then after 10 ms, and after
// up to twice as long each time, of a second at the most, until the limit dial has passed.
//
// A connection holds no more than this, whatever its peer does: a head of the limit head for each stream (431 beyond, and
// the connection ends with ENHANCE_YOUR_CALM when a block goes on and on), bodies of the limit window in all and 1 MiB more, what is
// to be sent to a peer that does not read, 1 MiB, and buffers of 80 KiB for each answer that waits for its client. All of this is bounded
// by the limit bodies for the process, and 64 KiB for each connection beyond; each stream but the first of a connection counts as a
// connection for the limit connections. A peer that makes work to no purpose is let go with ENHANCE_YOUR_CALM: one that begins a
// thousand streams in vain, by resetting them or for their faults, or sends twenty thousand frames that carry nothing, such as PING,
// SETTINGS and empty DATA; a tenth of the one, and half of the other, is forgotten in a second.
//
// # Different from zilla
//
//   - Every line of a header is kept, not the last one alone, trailers are passed on, and so are interim answers (1xx).
//   - After an upgrade was asked for, what follows waits for the 101, so that a server of HTTP/2 which has refused to look at it
//     can be asked again. A wish to go on in another version of HTTP (h2c) is taken or ignored, but not passed on, for what
//     came then would pass by routes and guards.
//   - All patterns of credentials are tried, not the first one alone; a Basic password may have spaces, and the name of a
//     scheme any case. An answer 401 says by www-authenticate what is wanted.
//   - What a route captures for one request is never that of another one. In a pattern all is literal but * and {name}. A
//     :path without a wildcard at its end is compared without the query, which cannot stand in for a part of the path.
//   - A question in advance is refused if any of its headers is not allowed, not the first one alone. Its answer says
//     access-control-allow-credentials where that is so, without which browsers refuse it, and answers that depend on the
//     origin say vary: origin, for caches. Answers of the gateway itself, such as 404, can be seen by a page too.
//   - A request whose length is not known, or that has two, is taken by the rules of RFC 9112, and so is a response that
//     ends with its connection.
//   - access-control: {} is the policy same-origin.
//   - There are limits to the time that everything may take.
//   - HTTP/2 is that of RFC 9113: padding is not part of a body, requests have trailers, GOAWAY tells the true last stream, and a
//     client that is asked to leave may finish what goes on. Windows are 64 KiB at the beginning, and grow. Upgrade: h2c is
//     taken by a server, and not offered by a client.
package http
