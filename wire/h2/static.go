package h2

// static is the static table (RFC 7541, appendix A).
var static = [62]struct{ name, value string }{
	1:  {":authority", ""},
	2:  {":method", "GET"},
	3:  {":method", "POST"},
	4:  {":path", "/"},
	5:  {":path", "/index.html"},
	6:  {":scheme", "http"},
	7:  {":scheme", "https"},
	8:  {":status", "200"},
	9:  {":status", "204"},
	10: {":status", "206"},
	11: {":status", "304"},
	12: {":status", "400"},
	13: {":status", "404"},
	14: {":status", "500"},
	15: {"accept-charset", ""},
	16: {"accept-encoding", "gzip, deflate"},
	17: {"accept-language", ""},
	18: {"accept-ranges", ""},
	19: {"accept", ""},
	20: {"access-control-allow-origin", ""},
	21: {"age", ""},
	22: {"allow", ""},
	23: {"authorization", ""},
	24: {"cache-control", ""},
	25: {"content-disposition", ""},
	26: {"content-encoding", ""},
	27: {"content-language", ""},
	28: {"content-length", ""},
	29: {"content-location", ""},
	30: {"content-range", ""},
	31: {"content-type", ""},
	32: {"cookie", ""},
	33: {"date", ""},
	34: {"etag", ""},
	35: {"expect", ""},
	36: {"expires", ""},
	37: {"from", ""},
	38: {"host", ""},
	39: {"if-match", ""},
	40: {"if-modified-since", ""},
	41: {"if-none-match", ""},
	42: {"if-range", ""},
	43: {"if-unmodified-since", ""},
	44: {"last-modified", ""},
	45: {"link", ""},
	46: {"location", ""},
	47: {"max-forwards", ""},
	48: {"proxy-authenticate", ""},
	49: {"proxy-authorization", ""},
	50: {"range", ""},
	51: {"referer", ""},
	52: {"refresh", ""},
	53: {"retry-after", ""},
	54: {"server", ""},
	55: {"set-cookie", ""},
	56: {"strict-transport-security", ""},
	57: {"transfer-encoding", ""},
	58: {"user-agent", ""},
	59: {"vary", ""},
	60: {"via", ""},
	61: {"www-authenticate", ""},
}

// A staticName is a name of the static table, with the indexes that it has there, from first to last.
type staticName struct {
	name        string
	first, last uint8
	form        form // of a literal with the name
}

// A form is how a field is represented: the first bits of its first byte.
type form uint8

const (
	indexed     form = 0x80 // (RFC 7541, 6.1)
	literal     form = 0x00 // without indexing (6.2.2)
	secret      form = 0x10 // never indexed (6.2.3), by nobody on the way
	incremental form = 0x40 // (6.2.1)
	resizing    form = 0x20 // of the dynamic table (6.3)
)

// slots has each name of the static table in a slot of its own.
var slots = func() (t [128]staticName) {
	for i := 1; i < len(static); i++ {
		name := static[i].name
		s := &t[slot(name)]
		switch {
		case s.name == "":
			*s = staticName{name, uint8(i), uint8(i), literal}
		case s.name != name:
			panic("h2: " + name + " and " + s.name + " have the same slot")
		}
		s.last = uint8(i)
		switch name {
		case "authorization", "proxy-authorization", "cookie", "set-cookie":
			s.form = secret
		}
	}
	return t
}()

// slot is where a name is if it is in the static table. The numbers are what makes the slots of all of them different.
func slot(name string) int {
	return (3*len(name) + 54*int(name[0]) + 59*int(name[len(name)-1])) & 127
}

// staticOf is the entry of a name, nil if it is not in the static table.
func staticOf(name string) *staticName {
	if name != "" {
		if s := &slots[slot(name)]; s.name == name {
			return s
		}
	}
	return nil
}
