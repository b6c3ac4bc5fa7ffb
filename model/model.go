package model

import (
	"context"
	"errors"

	"gozilla/component"
)

// A Model says which values are right, and turns them from the form that they have outside into the one that they have
// inside, and back. Its coders are for any number of goroutines.
type Model interface {
	Decoder() Coder // from outside to inside
	Encoder() Coder // from inside to outside
}

// A Coder is a model in one direction. It has told of a value that is not right, by an event about the scope of ctx,
// when it returns its error, or when the value goes on all the same. An error that is no *[Fault] is that it cannot be
// known what is right, and refuses the value too.
type Coder interface {
	// Identity reports whether what goes on is always what came, byte for byte.
	Identity() bool
	// Value puts a whole value through. It appends what goes on in its place to dst, and returns the result; one of
	// Identity appends nothing, and value itself goes on. It is done with value when it returns.
	Value(ctx context.Context, dst, value []byte) ([]byte, error)
	// Pipe puts a value through that comes in pieces, however it is cut: the answer is that of Value, at the latest at
	// the end. The pipe is for that one value, and for one goroutine at a time; who has no use for it any more lets it go.
	Pipe(ctx context.Context) Pipe
}

// A Pipe is a value on its way through a model. After an error, nothing more is called.
type Pipe interface {
	// Write takes the next piece. It appends to dst what can go on by now, and returns the result; one of Identity appends
	// nothing, and piece itself goes on. It is done with piece when it returns.
	Write(dst, piece []byte) ([]byte, error)
	// End says that the value is complete, and appends the rest of what goes on. Before that, nobody must be told that what
	// went on is complete.
	End(dst []byte) ([]byte, error)
}

// A Fault is what is wrong with a value.
type Fault struct {
	Model string // the type of the model: int32
	Text  string // what is wrong, in a few words that have nothing of the value in them: "it is empty"
	// Malformed is that it cannot be read as what it should be at all. Such a value is refused in any case, one that can be
	// read but is against the rules only if these are strict.
	Malformed bool
}

func (f *Fault) Error() string { return "not a valid " + f.Model + ": " + f.Text }

// IsFault reports whether an error says that a value is not right.
func IsFault(err error) bool {
	_, ok := errors.AsType[*Fault](err)
	return ok
}

// Registry holds the model types.
var Registry = component.NewRegistry[Type]("model", "avro", "boolean", "bytes", "double", "float", "int32", "int64", "json", "protobuf", "string")

// A Builder is what a model's constructor is given: that of the component that uses the model, which events are about.
type Builder struct {
	*component.Builder
}
