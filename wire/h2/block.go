package h2

// AppendField appends a field of a header block: a reference to the static table where that has it, else a literal without
// indexing, or never indexed for what is secret (authorization, proxy-authorization, cookie, set-cookie and values shorter... see RFC 7541, section 7.1.3).
// The name is in lower case.
func AppendField(dst []byte, name, value string) []byte { panic("todo") }

// AppendStatus appends :status.
func AppendStatus(dst []byte, status int) []byte { panic("todo") }

// AppendMethod, AppendScheme, AppendAuthority and AppendPath append pseudo-header fields.
func AppendMethod(dst []byte, v string) []byte    { panic("todo") }
func AppendScheme(dst []byte, v string) []byte    { panic("todo") }
func AppendAuthority(dst []byte, v string) []byte { panic("todo") }
func AppendPath(dst []byte, v string) []byte      { panic("todo") }

// A Decoder turns header blocks into fields. It keeps the dynamic table of its peer: every block of a connection must go
// through it, in order, also those of which nothing is wanted.
type Decoder struct{}

// NewDecoder makes a decoder; take is given each field. Its strings own their bytes.
func NewDecoder(take func(name, value string)) *Decoder { panic("todo") }

// Begin begins a block whose fields may have most bytes, counted as SETTINGS_MAX_HEADER_LIST_SIZE counts them (RFC 9113,
// section 6.5.2), and be count in number. What is beyond is not given to take, see Large.
func (d *Decoder) Begin(most, count int) { panic("todo") }

// Write decodes a fragment. The error is a *Fault COMPRESSION_ERROR.
func (d *Decoder) Write(fragment []byte) error { panic("todo") }

// End ends the block. The error is a *Fault COMPRESSION_ERROR.
func (d *Decoder) End() error { panic("todo") }

// Large reports whether the block had more than Begin allows.
func (d *Decoder) Large() bool { panic("todo") }
