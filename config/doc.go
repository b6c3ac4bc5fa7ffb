// Package config reads zilla.yaml: text becomes a tree with places, the tree becomes Go structs, and all that is wrong
// is collected and shown at once, at its place in the file as it was written.
//
//	Source ── ${{env.X}} ──▶ text ── YAML ──▶ *Node ── Decode[T] ──▶ *T
//	   │        edit list      │                │    Defaults, Check   │
//	   └────────────────────── ▼ ────────────── ▼ ────────────────── ▼
//	                                 Report: faults with places, notes, hints
//
//	T + doc comments ── ShapeOf ──▶ Shape ──▶ JSON Schema, Markdown, terminal, CheckShape
//
// # Structs
//
// A struct is the one source of what is accepted, and of what the pages say. A field's key is its name in lower case,
// unless a tag says otherwise: `config:"name,required,extension"`. An extension is a key that zilla does not know; a
// strict Report refuses it. Embedded structs are inlined. The shapes are a closed list: struct, pointer, map with a kind
// of string as its key, slice, List and Ports (one or many), bool, integers, floats, kinds of string, time.Duration,
// encoding.TextUnmarshaler, *Node (decoded later by somebody else), None (not accepted), and a SelfDecoder. A field of
// another shape panics when it is first used; CheckShape finds it in a test.
//
// A type says more of itself by methods:
//
//	Defaults()                     sets what is not zero by default; inner structs before the struct around them
//	Check(*Report)                 looks at a decoded struct that has no faults inside; inner structs first
//	Values() []string              the values of a kind of string
//	Pattern() string               what text looks like; also for a kind of string
//	Words() string                 what it must be, for messages; alternatives are separated by ", "
//	Bounds() (min, max int64)      of a kind of integer, or of one that TakesNumber
//	TakesNumber() bool             a TextUnmarshaler that also takes a whole number
//	ConfigShape() *Shape           of a SelfDecoder
//
// Methods of embedded structs are called for these, and once more if the struct around them promotes them: Defaults and
// Check must not mind. The structs inside a struct, but not those behind pointers, in lists or in maps, have their
// defaults also when their key is left out.
//
// # Places
//
// Structs hold no places: the Report knows them by the address of the field, so a check is one line:
//
//	r.Errorf(r.At(&o.Host), "a server cannot listen on *")
//
// A value of a map has no address; AtKey tells where its key stands.
//
// # YAML
//
// Files are UTF-8, with or without a byte order mark, with any ends of line. Other control characters than tab and ends
// of line are refused, tabs as indentation too. Scalars mean what the core schema of YAML 1.2 says: yes and 1_000 are
// text, 010 is ten, 0x10 is sixteen, 1e3 is no whole number. A number, true or false is refused where text is needed, as
// zilla does. So is an empty value (null), everywhere: a key is left out or has a value. Keys are taken by their text,
// whatever it looks like; each stands once. Merge keys (<<) are followed as in YAML 1.1: keys of the mapping itself win,
// then those of the earlier source. Tags other than those of the core schema are refused. Aliases are followed; what
// they give stands where their anchor does.
//
// # Expressions
//
// ${{env.NAME}} is replaced in the whole text, comments included, before YAML is parsed, so it can be a number or a part
// of a key. Expressions of other contexts are left as they are. What is not set becomes nothing, with a warning. Values
// of the environment are never shown: messages have the expression instead. This holds for messages of other packages
// too, which pass values as arguments of Errorf; there, values of less than four characters are replaced only if they
// are the whole argument.
package config
