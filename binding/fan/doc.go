// Package fan is the binding that joins many streams into one, and gives every one of them what comes back.
//
//	member ──▶ ┌─────┐           ┌──────┐
//	member ──▶ │ fan │ ──group──▶│ exit │
//	member ──▶ └─────┘           └──────┘
//	   each  ◀── everything ◀─────────┘
//
// All members share one stream to the exit, the group. It is opened for the first member, survives the last one, and is
// opened again for the next member after the exit has ended it. What members send goes to the group in pieces as they
// arrive; what the group receives goes to every member, the sender included, from the moment it joined.
//
// Bytes are never skipped. A member that does not read, or not as fast as the others, is reset once 256 KiB wait for it
// and it has held up the others for a quarter of a second since it last had caught up with them, or once some bytes wait
// for 5 s (the limits Queue and Stall; the quarter is a twentieth of Stall). So it neither slows the others down nor
// fills the memory. A member that does not read is not read from either, before it comes to that. A member that ends
// its direction leaves: what waits for it is still delivered, then its other direction ends too.
//
// WebSockets share a group of messages likewise: each goes on as a whole, text stays text, and for those who agree on
// compression it is compressed once. A message is at most as long as what may wait for a member (the limit Queue).
//
// Streams of events go one way. Those who ask for the same, by scheme, authority and path, share one stream to the exit, a
// topic, which ends with the last of them. Who resumes after an event that was told not long ago, within 256 KiB (the limit
// Queue), gets what it has missed from the topic; after another one, it has a stream of its own. Who comes later is told at first in
// which time to come back, if the topic was (retry).
package fan
