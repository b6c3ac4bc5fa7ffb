// Package httpfilesystem is the binding that makes of requests what is done with files.
//
//	http server ──exchanges──▶ http-filesystem proxy ──files──▶ filesystem server
//
//	                a file                           a folder: the path is empty, or ends in a slash
//	GET, HEAD       200: the content                 200: [{"path":"name","type":"file"},…], by name
//	POST            204: made; 409 if it is there    204: made; 409 if it is there
//	PUT             204: replaced                    404
//	DELETE          204: deleted                     204: deleted; 409 if it is not empty
//
// The first route counts that the session of the request may take and one of whose conditions holds; with says which file
// that is. What is not there, and other methods, are 404. A body where none is of use, to read or to make a folder, is 400.
//
// Answers have the etag of the content and when it was modified. A PUT must say which version it replaces, by if-match or
// if-unmodified-since: without, it is refused (428), and so is one that knows another version (412). With if-none-match: *
// it makes a file that is not there yet (201), else it is 404 then. POST needs no condition, and DELETE may have one.
// Nobody sees a part of what is uploaded, and of two who replace the same version one is told 412. An upload for which
// there is no room is 507. What the condition refuses is refused before the body comes, for a client that asks first
// (expect: 100-continue).
//
// if-match, if-none-match, if-modified-since, if-unmodified-since and if-range mean what RFC 9110 says, lists, * and weak
// tags included. Of a range the part is sent (206), or 416; a request for several ranges gets the whole file.
//
// A GET or HEAD with if-none-match and prefer: wait=N is answered when the file has changed, or after N seconds (304), at
// most an hour; preference-applied says how long. When the gateway leaves, those who wait are answered at once. If too many
// files are waited for, the preference is not applied.
//
// The escapes of what a pattern has captured are decoded once. One that stands for a slash, a backslash or NUL, or is none,
// is refused (400); parts of a path that are empty, . or .. lead nowhere (404), however they are written.
//
// A file of more than 16 KiB goes from the disk to the network without being copied where the connection is plain
// HTTP/1.1 over TCP, unless it was there before and was written into within the last two seconds. In that case, over TLS
// and in other versions of HTTP it is read in pieces. Its last piece is sent when all before is known to be of the version
// that the etag names: where somebody has written into the file meanwhile, the answer is broken off. What the system still
// holds, on its way to a client, it holds by the file's own pages: a program that writes into a file that nobody has
// written into for a while, in place and without cutting it off first, can reach the bytes that a slow client has yet to
// take, a few megabytes at the most. Replace files by renaming, as a PUT does.
//
// # Different from zilla
//
//   - An etag is in quotes, as the standard has it; tags without are understood. HEAD has one too.
//   - Conditions are those of RFC 9110. There, if-match on a GET is no wish for another version.
//   - PUT without a condition is 428, not 412. DELETE does not need one.
//   - Ranges, last-modified and the conditions about dates, and if-none-match: * to make a file.
//   - A file that grows or changes while it is sent is broken off.
//   - ${params.name} may be a part of path and directory.
//   - A file system that cannot be reached is 503, one that does not allow something 403.
package httpfilesystem
