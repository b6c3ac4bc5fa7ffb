package websocket

const (
	deflate        = "permessage-deflate"
	serverTakeover = "server_no_context_takeover"
	clientTakeover = "client_no_context_takeover"
	serverBits     = "server_max_window_bits"
	clientBits     = "client_max_window_bits"
)

// OfferDeflate is what a client offers in sec-websocket-extensions: that no side takes the window of a message over to the
// next one, so that a socket which is idle holds none.
const OfferDeflate = deflate + "; " + serverTakeover + "; " + clientTakeover

// AcceptDeflate is how a server answers the sec-websocket-extensions of a client (RFC 7692, 5.1 and 7.1): the first offer of
// permessage-deflate that it can take, on the terms of OfferDeflate. Several fields are joined by commas. If there is none, the
// answer is empty and no extension is used: what is not known, or not understood, is not accepted. An error is a *Fault: offers
// is no list of extensions, and the server must give the connection up (section 9.1).
//
// An offer that limits the window of the server is declined, since that of compress/flate has 32 KiB always; one that limits
// the client's is not, since any window inflates.
func AcceptDeflate(offers string) (answer string, err error) {
	list, err := parseExtensions(offers)
	if err != nil {
		return "", err
	}
	for _, e := range list {
		if e.name != deflate {
			continue
		}
		switch t, ok := readTerms(e.params); {
		case ok && t.serverBits == "":
			return OfferDeflate, nil
		case ok && t.serverBits == "15": // which must be answered (RFC 7692, 7.1.2.1)
			return OfferDeflate + "; " + serverBits + "=15", nil
		}
	}
	return "", nil
}

// CheckDeflate is what a client makes of the sec-websocket-extensions that a server answers OfferDeflate with: whether it is
// on. An error is a *Fault, and the client must give the connection up (section 4.1, and RFC 7692, 7).
//
// A server may limit its own window, and go on with that of the client, without being asked to: both are nothing to us.
func CheckDeflate(answer string) (on bool, err error) {
	list, err := parseExtensions(answer)
	if err != nil || len(list) == 0 {
		return false, err
	}
	if list[0].name != deflate {
		return false, errUnasked
	}
	if len(list) > 1 {
		return false, errMany
	}
	switch t, ok := readTerms(list[0].params); {
	case !ok || t.clientBits: // a server may limit the client's window only if that is offered (RFC 7692, 7.1.2.2)
		return false, errParameter
	case !t.serverTakeover: // which a server has to answer that takes the offer (RFC 7692, 7.1.1.1)
		return false, errTakeover
	}
	return true, nil
}

// terms are the parameters of an offer of permessage-deflate, or of its answer (RFC 7692, 7.1).
type terms struct {
	serverTakeover, clientTakeover, clientBits bool
	serverBits                                 string
}

// readTerms reports in ok whether each parameter is known, well formed, and there once.
func readTerms(params []parameter) (t terms, ok bool) {
	once := func(seen *bool) bool {
		first := !*seen
		*seen = true
		return first
	}
	for _, p := range params {
		switch p.name {
		case serverTakeover:
			ok = once(&t.serverTakeover) && p.value == ""
		case clientTakeover:
			ok = once(&t.clientTakeover) && p.value == ""
		case clientBits:
			ok = once(&t.clientBits) && (p.value == "" || windowBits(p.value))
		case serverBits:
			ok = t.serverBits == "" && windowBits(p.value)
			t.serverBits = p.value
		default:
			ok = false
		}
		if !ok {
			return t, false
		}
	}
	return t, true
}

// windowBits reports whether it is the logarithm of a window: 8 to 15, without a zero before it (RFC 7692, 7.1.2).
func windowBits(s string) bool {
	return s == "8" || s == "9" || len(s) == 2 && s[0] == '1' && s[1] >= '0' && s[1] <= '5'
}
