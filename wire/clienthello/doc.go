// Package clienthello reads the first message of a TLS client, to learn what it wants before anybody answers:
//
//	record         22 | 3, minor | length | fragment of a message        RFC 8446, section 5.1
//	               1    2          2        1 to 2^14 bytes
//	message        1 (client_hello) | length | body                      section 4
//	               1                  3
//	body           version | random | session id | cipher suites | compression methods | extensions
//	               2         32       1 + n        2 + n           1 + n                 2 + n      section 4.1.2
//	extension      type | length | data                                  section 4.2
//	               2      2
//
// The message may be split over several records, each as small as a byte. Of the extensions, server_name (RFC 6066),
// application_layer_protocol_negotiation (RFC 7301), supported_versions (RFC 8446) and encrypted_client_hello are looked
// at; all others pass unread, so do the values of RFC 8701, which clients make up (GREASE).
package clienthello
