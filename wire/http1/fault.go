package http1

// A Fault is what is wrong with a message, and the status that answers it. That of a request is 400, 414, 417, 431, 501
// or 505, that of a response 502. All are variables, so that none is allocated, and == tells them apart.
type Fault struct {
	Status int
	Text   string // in lower case, without a period
}

func (f *Fault) Error() string { return f.Text }

// Faults of requests that are answered in a way of their own.
var (
	ErrTarget  = &Fault{414, "the request line is too long"}
	ErrExpect  = &Fault{417, "something else than 100-continue is expected"}
	ErrHead    = &Fault{431, "the header is too long"}
	ErrFields  = &Fault{431, "the header has too many fields"}
	ErrTrailer = &Fault{431, "the trailer is too long"}
	ErrCoding  = &Fault{501, "the transfer coding is not known"}
	ErrVersion = &Fault{505, "the version is not HTTP/1"}
)

// A rule is what both requests and responses obey. It has a fault for each, since a gateway answers for what it was sent
// (400), and for what its servers have sent (502).
type rule struct{ request, response Fault }

func both(text string) *rule { return &rule{Fault{400, text}, Fault{502, text}} }

var (
	ruleEnd         = both("the head does not end with an empty line")
	ruleCR          = both("a CR stands without an LF")
	ruleLF          = both("an LF stands without a CR")
	ruleControl     = both("a control character stands in the head")
	ruleName        = both("the name of a header field is no token")
	ruleColon       = both("a header field has no colon")
	ruleFold        = both("white space stands before the name of a header field, which is obsolete line folding")
	ruleOptions     = both("connection names too many fields")
	ruleLength      = both("content-length is no number")
	ruleLengths     = both("there is more than one content-length")
	ruleCoding      = both("transfer-encoding is malformed")
	ruleChunked     = both("chunked is not the last transfer coding, or not the only one of its name")
	ruleCodingMinor = both("HTTP/1.0 has no transfer-encoding")
)

// What only a request can have wrong.
var (
	errBegin     = &Fault{400, "the first line does not begin with a token"}
	errLine      = &Fault{400, "the request line is not a method, a target and a version with one space between each"}
	errMethod    = &Fault{400, "the method is no token"}
	errChars     = &Fault{400, "a character of the request target is not a visible one of ASCII"}
	errForm      = &Fault{400, "the request target has none of the forms that the method allows"}
	errUserinfo  = &Fault{400, "the request target has user information"}
	errAuthority = &Fault{400, "the authority of the request target is malformed"}
	errHost      = &Fault{400, "host is malformed"}
	errNoHost    = &Fault{400, "host is missing"}
	errHosts     = &Fault{400, "there is more than one host"}
	errSpace     = &Fault{400, "a space stands before the colon of a header field"}
	errUnderline = &Fault{400, "the name of a framing field is written with an underscore"}
	errBoth      = &Fault{400, "there are both content-length and transfer-encoding"}
	errConnect   = &Fault{400, "CONNECT has a body"}
)

// What only a response can have wrong.
var (
	errStatusLine   = &Fault{502, "the status line is not a version, a status and a reason"}
	errStatusLong   = &Fault{502, "the status line is too long"}
	errStatus       = &Fault{502, "the status is not between 100 and 599"}
	errAnswerMajor  = &Fault{502, "the version of the response is not HTTP/1"}
	errAnswerHead   = &Fault{502, "the header of the response is too long"}
	errAnswerFields = &Fault{502, "the header of the response has too many fields"}
	errAnswerCoding = &Fault{502, "the transfer coding of the response is not known"}
)

// What a chunked body can have wrong.
var (
	errChunkSize = &Fault{400, "the size of a chunk is malformed"}
	errChunkBig  = &Fault{400, "the size of a chunk is too large"}
	errChunkLine = &Fault{400, "the line with the size of a chunk is too long"}
	errChunkExt  = &Fault{400, "the extension of a chunk is malformed"}
	errChunkExts = &Fault{400, "the extensions of chunks are too long"}
	errChunkEnd  = &Fault{400, "the data of a chunk does not end with CR LF"}
)
