// Package stdout is the exporter that prints every event on standard output, a line each:
//
//	Log -OnEvent-> queue -task-> default:south [01/Aug/2026:14:05:06 +0200] [000000000000002a] BINDING_TCP_DNS_FAILED …
//
// Lines are zilla's, but for a letter d that zilla prints after the number in the second pair of brackets by mistake.
package stdout
