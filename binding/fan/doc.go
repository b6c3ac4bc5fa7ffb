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
package fan
